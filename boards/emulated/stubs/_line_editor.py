"""A line at the friendly prompt: echo, cursor, history, indentation; when a statement is whole.

What shared/readline/readline.c and py/repl.c do with a line; names are not completed.
"""

import _console

_CTRL_A = 1
_CTRL_E = 5
_BACKSPACE = (8, 127)
_TAB = 9
_ESCAPE = 27
_HISTORY = 8
_INDENT = "    "
_COMPOUND = ("if", "while", "for", "try", "with", "def", "class", "async")

_history = []


def read(prompt, before=""):
    """A line that the host typed, or the control character that ended it.

    `before` is what of the statement has been entered already.
    """
    line = []
    at = 0
    back = 0  # how far into the history
    _console.write(prompt)
    if before:
        line = list(_indent(before))
        at = len(line)
        _console.write("".join(line))
    while True:
        c = _console.byte()
        if _CTRL_A <= c <= _CTRL_E and not line:
            return c
        if c == _console.CTRL_C:
            return c
        if c == 13:
            _console.write("\r\n")
            text = "".join(line)
            if text and text not in _history[:1]:
                _history.insert(0, text)
                del _history[_HISTORY:]
            return text
        if c in _BACKSPACE:
            # One level of indentation where there is nothing else.
            gone = 4 if at >= 4 and not "".join(line[:at]).strip() else min(at, 1)
            at -= gone
            line = line[:at] + line[at + gone :]
            _console.write("\b" * gone)
            _redraw(line, at, gone)
        elif c == _ESCAPE:
            key = _key()
            if key in "AB":
                back = max(0, min(len(_history), back + (1 if key == "A" else -1)))
                at, line = _replace(line, at, _history[back - 1] if back else "")
            elif key == "C" and at < len(line):
                _console.write(line[at])
                at += 1
            elif key == "D" and at:
                at -= 1
                _console.write("\b")
            elif key in "HF":
                at = _jump(line, at, 0 if key == "H" else len(line))
            elif key == "3" and at < len(line):
                del line[at]
                _redraw(line, at, 1)
        elif c == _TAB:
            for letter in _INDENT:
                line.insert(at, letter)
                at += 1
            _console.write(_INDENT)
            _redraw(line, at, 0)
        elif c >= 32:
            line.insert(at, _letter(c))
            _console.write(line[at])
            at += 1
            _redraw(line, at, 0)
        elif c in (_CTRL_A, _CTRL_E):
            at = _jump(line, at, 0 if c == _CTRL_A else len(line))


def _letter(first):
    # UTF-8: the bytes that follow belong to it.
    more = 0 if first < 0xC0 else 1 if first < 0xE0 else 2 if first < 0xF0 else 3
    return bytes([first] + [_console.byte() for _ in range(more)]).decode()


def _key():
    # ESC [ A, ESC O H, ESC [ 3 ~ and the like: the character that tells them apart.
    if _console.byte() not in b"[O":
        return ""
    key = chr(_console.byte())
    if key.isdigit():
        while chr(_console.byte()) != "~":
            pass
        return {"1": "H", "7": "H", "4": "F", "8": "F"}.get(key, key)
    return key


def _redraw(line, at, gone):
    # What stands right of the cursor, and blanks over `gone` that no longer do.
    rest = "".join(line[at:]) + " " * gone
    _console.write(rest + "\b" * len(rest))


def _jump(line, at, to):
    _console.write("\b" * (at - to) if to < at else "".join(line[at:to]))
    return to


def _replace(line, at, text):
    _jump(line, at, 0)
    gone = max(0, len(line) - len(text))
    _console.write(text + " " * gone + "\b" * gone)
    return len(text), list(text)


def _indent(before):
    # As deep as the line before, deeper behind a colon; no more behind two lines of blanks.
    lines = before.split("\n")
    last = lines[-1]
    if len(lines) > 2 and not last.strip() and not lines[-2].strip():
        return ""
    depth = len(last) - len(last.lstrip(" "))
    return " " * depth + (_INDENT if last.rstrip().endswith(":") else "")


def incomplete(text):
    """Whether a statement goes on after `text`: brackets or long strings open, a block begun."""
    depth, quote = _open(text)
    if len(quote) == 3 or (depth > 0 and not quote) or text.endswith("\\"):
        return True
    word = ""
    for letter in text:
        if not (letter.isalpha() or letter == "_"):
            break
        word += letter
    return (word in _COMPOUND or text.startswith("@")) and not text.endswith("\n")


def _open(text):
    # (how many brackets are open, which quotes are)
    depth = 0
    quote = ""
    i = 0
    while i < len(text):
        letter = text[i]
        if quote:
            if letter == "\\":
                i += 1
            elif text[i : i + len(quote)] == quote:
                i += len(quote) - 1
                quote = ""
        elif letter in "'\"":
            quote = letter * 3 if text[i : i + 3] == letter * 3 else letter
            i += len(quote) - 1
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "#":
            while i + 1 < len(text) and text[i + 1] != "\n":
                i += 1
        i += 1
    return depth, quote
