"""The operators of rules, registered by name, one module per subject.

- A **missing** field fails every operator. An opposite (`not_equals`, `not_in`,
  `not_contains`, `is_empty`, `not_exists`) is met exactly when its counterpart is not,
  so a missing field meets the opposites.
- **null** is a value for `equals`, `in` and `exists`; all other operators treat it as
  missing.
- A value of a **kind** that an operator does not support is an error: `greater_than`
  on an object or on text, `starts_with` on a number, `before` on text that is no date.
  `equals` and `in` support every kind: values of different kinds are not equal.
- **Numbers** are read from text only in fields that hold only text (headers, query,
  forms), and only to compare them with numbers: by `equals`, by `in` with a list of
  numbers, by the four orderings, and by `between`.
- **Dates** are ISO 8601; a date means its midnight, and a time without an offset is
  UTC.
"""

from __future__ import annotations
