"""Pieces of code that users upload, and attacks."""

from __future__ import annotations

PARSE_CHAT = """
# Returns parts of a chat message
def parse_chat(body, headers, webhook_config):
    message = body.get('message', {})
    words = [w.strip('.,') for w in (message.get('text') or '').split()]
    return {
        'chat_id': message.get('chat', {}).get('id'),
        'text': message.get('text'),
        'has_document': 'document' in message,
        'words': sorted(set(words))[:3],
        'label': f"{headers.get('x-kind', '?')}/{webhook_config['room']}",
        'is_loud': any(w.isupper() for w in words),
    }
"""

VALIDATE_CHAT = """
def validate_chat(headers, body, webhook_config):
    bot_token = webhook_config.get('bot_token')
    return bot_token is not None
"""

VALIDATE_HMAC = """
import hashlib
import hmac

def validate_shop(headers, body, webhook_config):
    mac = hmac.new(webhook_config['key'], body['id'], hashlib.sha256)
    return hmac.compare_digest(mac.hexdigest(), headers.get('x-signature', ''))
"""

ECHO = "def parse(body): return {'echo': body}"
YES = "def validate(body): return True"


def parser_of(line: str) -> str:
    """Return a parser with this first line."""
    return f"def parse(body):\n    {line}\n    return {{}}"


# Each fails in its first line; none may reach its `return`.
ESCAPES = {
    "subprocess": parser_of("import subprocess"),
    "socket": parser_of("import socket"),
    "ctypes": parser_of("import ctypes"),
    "importlib": parser_of("import importlib"),
    "dunder import": parser_of("__import__('os').system('id')"),
    "builtins": parser_of("__builtins__['open']"),
    "modules": parser_of("import sys; sys.modules['os']"),
    "read a file": parser_of("open('/etc/passwd').read()"),
    "write a file": parser_of("open('/tmp/tickhook-sandbox', 'w').write('x')"),
    "read by path": parser_of(
        "import pathlib; pathlib.Path('/etc/passwd').read_text()"
    ),
    "list a folder": parser_of("import os; os.listdir('/')"),
    "environment": parser_of("import os; os.environ['PATH']"),
    "getenv": parser_of("import os; x = os.getenv('PATH'); x.lower()"),
    "system": parser_of("import os; os.system('id')"),
    "subclasses": parser_of("().__class__.__bases__[0].__subclasses__()"),
    "globals": parser_of("parse.__globals__"),
    "code": parser_of("parse.__code__"),
    "format": parser_of("'{0.__class__.__mro__}'.format(body)"),
    "host function": parser_of("import hmac; hmac.new.__globals__"),
    "host object": parser_of("import hmac; hmac.new('k', 'm', 'md5')._mac"),
}

BOMBS = {
    "range": parser_of("sum(range(10**12))"),
    "power": parser_of("10**10**10"),
    "shift": parser_of("1 << 10**10"),
    "text": parser_of("'a' * 10**10"),
    "list": parser_of("[0] * 10**10"),
    "bytes": parser_of("bytes(10**10)"),
    "padding": parser_of("'%10000000000d' % 1"),
    "growing": parser_of("x = []\n    while True: x.append('y' * 1000)"),
    "replace": parser_of("('a' * 10**6).replace('a', 'b' * 10**6)"),
    "prints": parser_of("while True: print('flood of text')"),
    "recursion": "def parse(body): return again(0)\ndef again(n): return again(n + 1)",
    "brackets": parser_of("x = " + "(" * 20_000 + ")" * 20_000),
    "operators": parser_of("x = " + "-" * 50_000 + "1"),
    "digits": parser_of("int('9' * 10**7)"),
    "large result": "def parse(body): return {'x': ['y' * 10**6] * 30}",
    "host calls": parser_of(
        "import hmac\n    for _ in range(200): hmac.new('k', 'm', 'md5')"
    ),
}

LOOPS = {
    "plain": parser_of("while True: pass"),
    "catching all": parser_of(
        "while True:\n        try:\n            while True: pass\n"
        "        except BaseException: pass"
    ),
    "iterator": parser_of("max(iter(int, 1))"),
    "host": parser_of(
        "from urllib.parse import quote\n    while True: quote('\u00e4' * 400_000)"
    ),
    "not interruptible": parser_of("len(str(10**15_000_000))"),
}
