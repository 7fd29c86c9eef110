# SPDX-License-Identifier: MIT
"""That a model and the code agree, both ways.

In a model, above the step that stands for it:

  /* code: FILE FUNCTION: "TEXT" */     these words stand in that function

and in its opening comment:

  watch FILE: atomic NAME ...           each atomic access to these fields has a step that quotes it,
  watch FILE: call NAME ...             so has each call of these functions,
  watch FILE: store NAME ...            and each assignment to these fields;
  beside FILE FUNCTION: "TEXT" why      but for those in this text ("": in this function), which are
                                        no part of the protocol

Text is compared without comments, and with any white space as one space.
"""

import collections
import os
import re

STEP = re.compile(r'/\* code: (\S+) (\w+): "(.*)" \*/')
WATCH = re.compile(r"^ \* watch (\S+): (atomic|call|store) (.*)$", re.MULTILINE)
BESIDE = re.compile(r'^ \* beside (\S+) (\w+): "(.*?)"', re.MULTILINE)
FUNCTION = re.compile(r"^(?=[a-z_])[^\n;={}]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)

Quote = collections.namedtuple("Quote", "path function text")


class Model:
    def __init__(self, path):
        with open(path, encoding="utf-8") as stream:
            self.text = stream.read()
        self.steps = [Quote(*match.groups()) for match in STEP.finditer(self.text)]
        self.beside = [Quote(*match.groups()) for match in BESIDE.finditer(self.text)]
        self.watched = [(path, kind, names.split())
                        for path, kind, names in WATCH.findall(self.text)]


def functions_of(path):
    """Name and text of each function in a C file."""
    with open(path, encoding="utf-8") as stream:
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", stream.read(), flags=re.DOTALL)
    text = re.sub(r"__attribute__\(\(.*?\)\) ?", "", text)
    return {name: " ".join(body.split()) for name, body in FUNCTION.findall(text)}


def first_argument(text):
    depth = 0
    for at, letter in enumerate(text):
        if letter in "([":
            depth += 1
        elif letter in ")]" and depth:
            depth -= 1
        elif letter in ",)":
            return text[:at]
    return text


def accesses(body, kind, names):
    """(position, text) of what a watch is about."""
    if kind == "call":
        pattern = rf"(?<![\w>.])(?:{'|'.join(names)})\("
    elif kind == "store":
        pattern = rf"(?:->|\.)(?:{'|'.join(names)})(?:\[[^]]*\])? (?:[-+|&]?= |= )"
    else:
        pattern = r"\b(?:__)?atomic_\w+\("
    for match in re.finditer(pattern, body):
        if kind == "atomic":
            field = re.search(r"(\w+)(?:\[[^]]*\])?$", first_argument(body[match.end():]))
            if not field or field.group(1) not in names:
                continue
        yield match.start(), body[match.start():][:60]


def is_quoted(body, position, texts):
    for text in texts:
        at = body.find(text)
        while at >= 0:
            if not text or at <= position < at + len(text):
                return True
            at = body.find(text, at + 1)
    return False


class Code:
    """The tree, read as far as models speak of it."""

    def __init__(self, top):
        self.top = top
        self.files = {}

    def functions(self, path):
        if path not in self.files:
            full = os.path.join(self.top, path)
            self.files[path] = functions_of(full) if os.path.exists(full) else {}
        return self.files[path]

    def missing_quotes(self, model):
        """What the model says of the code that is not so."""
        for quote in [*model.steps, *model.beside]:
            body = self.functions(quote.path).get(quote.function)
            if body is None:
                yield f"{quote.path} has no function {quote.function}"
            elif " ".join(quote.text.split()) not in body:
                yield f'{quote.path} {quote.function} has no "{quote.text}"'

    def missing_steps(self, model):
        """What the code does of which the model says nothing."""
        texts = collections.defaultdict(list)
        for quote in [*model.steps, *model.beside]:
            texts[quote.path, quote.function].append(" ".join(quote.text.split()))
        for path, kind, names in model.watched:
            found = set()
            for function, body in self.functions(path).items():
                for position, text in accesses(body, kind, names):
                    found.update(name for name in names if re.search(rf"\b{name}\b", text))
                    if not is_quoted(body, position, texts[path, function]):
                        yield f"{path} {function}: no step for: {text}"
            for name in sorted(set(names) - found):
                yield f"{path}: nothing there is a {kind} of {name}"
