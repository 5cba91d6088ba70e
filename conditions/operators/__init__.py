"""The operators of rules, registered by name, one module per subject.

- A **missing** field fails every operator, and an opposite (`not_equals`, `not_in`,
  `not_contains`, `is_empty`, `not_exists`) is met exactly when its counterpart is not:
  so a missing field meets the opposites.
- **null** is a value for `equals`, `in` and `exists`, and counts as missing for all
  others.
- A value of a **kind** that an operator is not made for (`greater_than` on an object or
  on text, `starts_with` on a number, `before` on text that is no date) is an error.
  `equals` and `in` are made for every kind: other kinds are merely not equal.
- **Numbers** are read from text only where text is all that can arrive (headers, query,
  forms), and only to compare them with numbers: by `equals`, by `in` with a list of
  numbers only, by the four orderings, and by `between`.
- **Dates** are ISO 8601; a date is its midnight, and a time without an offset is UTC.
"""

from __future__ import annotations
