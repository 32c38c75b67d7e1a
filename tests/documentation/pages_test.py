#!/usr/bin/env python3
"""Every link, command, path, target and flag that a Markdown page names exists.

usage: pages_test.py [PROGRAM...]      programs whose --help lists their flags

It reads the pages where they stand, because a page may name any file of the tree.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A fenced block and its kind: only blocks of no kind hold commands.
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FLAG = re.compile(r"--[a-z][\w-]*")
LABEL = re.compile(r"//([\w/.-]*)(?::([\w./-]+))?")
BUILT = ".bazel/bin/"
EVERYWHERE = "--help --version "  # flags of every program of ours


class Tree:
    """What exists: files, Bazel targets, flags."""

    def __init__(self, root, programs=()):
        self.root = root
        # Not those that Bazel makes, which are links.
        folders = (path for path in root.iterdir() if path.is_dir() and not path.is_symlink())
        self.folders = {path.name for path in folders if not path.name.startswith(".")}
        bazelrc = (root / ".bazelrc").read_text(encoding="utf-8")
        self.configs = set(re.findall(r"^build:(\w+)", bazelrc, re.MULTILINE))
        switch = re.compile(r"--\[no\]([\w-]+)")  # --help shows a switch that is on by default so
        self.flags = {
            program: set(FLAG.findall(switch.sub(r"--\1 --no\1", text))) for program, text in self._help_texts(programs)
        }

    def pages(self):
        found = [*self.root.glob("*.md")]
        for folder in sorted(self.folders):
            found += sorted((self.root / folder).rglob("*.md"))
        return found

    def has_path(self, path):
        return all(any(self.root.glob(one)) for one in alternatives(path.rstrip("/")))

    def has_label(self, package, target):
        build = self.root / package / "BUILD"
        if package.endswith("...") or target == "...":
            return any((self.root / package.removesuffix("...")).rglob("BUILD"))
        if not build.is_file():
            return False
        target = target or pathlib.PurePath(package).name
        return target == "all" or f'"{target}"' in build.read_text(encoding="utf-8")

    def _help_texts(self, programs):
        """(name, text that contains its flags) of every program of ours."""
        for program in programs:
            ran = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
            yield pathlib.Path(program).name, ran.stdout + ran.stderr + EVERYWHERE
        # LibTorch takes long to link and to load, so these programs are not asked.
        for source in sorted((self.root / "model" / "train").rglob("anybit_*.cc")):
            # A large program defines its flags in a file beside it: anybit_train.cc in train_flags.cc.
            beside = source.with_name(source.name.removeprefix("anybit_").replace(".cc", "_flags.cc"))
            text = source.read_text(encoding="utf-8") + (beside.read_text(encoding="utf-8") if beside.exists() else "")
            flags = re.findall(r"ABSL_FLAG\([^;]*?, (\w+),", text)
            yield source.stem.replace("_", "-"), EVERYWHERE + " ".join(f"--{flag}" for flag in flags)
        for script in ("check", "fuzz", "setup", "test", "test-gpu"):
            yield f"scripts/{script}", (self.root / "scripts" / script).read_text(encoding="utf-8")
        yield "scripts/bench-engine", (self.root / "tests" / "speed" / "bench_engine.py").read_text(encoding="utf-8")
        folders = ("tests/load/*", "tests/emulation/*", "deploy/*/*")
        for script in sorted(path for folder in folders for path in self.root.glob(folder) if path.is_file()):
            if script.suffix in ("", ".py") and script.name != "BUILD":
                yield str(script.relative_to(self.root)), script.read_text(encoding="utf-8")


def alternatives(path):
    """'a.{h,cc}' as 'a.h' and 'a.cc'."""
    found = re.search(r"\{([^{}]*)\}", path)
    if not found:
        return [path]
    before, after = path[: found.start()], path[found.end() :]
    return [one for part in found[1].split(",") for one in alternatives(before + part + after)]


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    seen, found = {}, set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).lower()).replace(" ", "-")
        count = seen.get(slug, 0)
        seen[slug] = count + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


def link_errors(tree, page, text):
    for target in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve()
        if path and not file.exists():
            yield f"link to {target}: no such file"
        elif anchor and anchor not in anchors(file.read_text(encoding="utf-8") if path else text):
            yield f"link to {target}: no such heading"


def word_errors(tree, word):
    """Of one word of a command or of inline code: labels, paths and built programs."""
    word = word.removeprefix("$PWD/")
    label = LABEL.fullmatch(word)
    if label:
        if not tree.has_label(label[1], label[2]):
            yield f"{word}: no such target"
        return
    if word.startswith(BUILT):
        package, _, target = word[len(BUILT) :].rpartition("/")
        if not tree.has_label(package, target):
            yield f"{word}: no such target"
        return
    word = word.partition("=")[2] if word.startswith("--") else word
    first = word.partition("/")[0]
    if "/" in word and first in tree.folders and not re.search(r"[<>A-Z]", word.partition("/")[2]):
        if not tree.has_path(word):
            yield f"{word}: no such file"


def commands(block):
    """The command lines of a fenced block, comments and continuations resolved."""
    for line in block.replace("\\\n", " ").splitlines():
        yield re.split(r"\s#\s|^#", line)[0].split()


def program_of(tree, word, before):
    """The program whose flags follow `word`; None if they are not known."""
    for name in (word, re.split(r"[/:]", word)[-1]):
        if name in tree.flags:
            return name
    return None if word.startswith(BUILT) else before


def flag_errors(tree, word, program):
    """Of a flag of `program`, of any program if that is None."""
    config = re.fullmatch(r"--config=(\w+)", word)
    if config:
        if config[1] not in tree.configs:
            yield f"{word}: .bazelrc has no such configuration"
        return
    flag = FLAG.match(word)
    known = tree.flags[program] if program else set().union(*tree.flags.values())
    if flag and flag[0] not in known:
        yield f"{flag[0]}: not a flag of {program or 'any program'}"


def command_errors(tree, block):
    for words in commands(block):
        program = None
        for word in words:
            yield from word_errors(tree, word)
            program = program_of(tree, word, program)
            if program:
                yield from flag_errors(tree, word, program)


def code_errors(tree, code):
    """Of inline code: flags, or a command; a path or a label is one of a single word."""
    if code.startswith("--"):
        for word in code.split():
            yield from flag_errors(tree, word, None)
    else:
        yield from command_errors(tree, code)


def page_errors(tree, page, text):
    yield from link_errors(tree, page, text)
    for kind, block in FENCE.findall(text):
        if not kind:
            yield from command_errors(tree, block)
    for code in CODE.findall(FENCE.sub("", text)):
        yield from code_errors(tree, code)


def main(programs):
    tree = Tree(ROOT, programs)
    # Mistakes must be found, and only they, or an empty result would mean nothing.
    page = ROOT / "docs" / "sample.md"
    wrong = (
        "[a](none.md) [b](#none) `base/none.cc` `//base:none` `--none`\n"
        "```\nscripts/none\nanybit-train --none\n```\n"
    )
    right = (
        "[a](../README.md) [b](#one-c) `base/BUILD`\n"
        "```\nanybit-train --arch=x //docs:operations.md\n```\n# One `c`\n"
    )
    found, unfounded = list(page_errors(tree, page, wrong)), list(page_errors(tree, page, right))
    if len(found) != 7 or unfounded:
        print("in sample pages with 7 and 0 mistakes it finds", found, unfounded)
        return 1
    errors = [
        f"{page.relative_to(ROOT)}: {error}"
        for page in tree.pages()
        for error in page_errors(tree, page, page.read_text(encoding="utf-8"))
    ]
    print("\n".join(errors))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
