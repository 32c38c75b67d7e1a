#!/usr/bin/env python3
"""Every program answers a wrong command line alike: exit code 2 and one message that names the mistake.

usage: command_lines_test.py PROGRAM...
"""

import os
import subprocess
import sys
import unittest

PROGRAMS = []  # from the command line
WORDS_BEFORE_A_STRAY_ONE = {"anybit-client": ["status"]}
TAKES_WORDS = {"anybit-train-report"}


def ran(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


class CommandLinesTest(unittest.TestCase):
    def expect_usage_error(self, program, arguments, text):
        name = os.path.basename(program)
        with self.subTest(program=name, arguments=arguments):
            done = ran(program, *arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(done.stdout, "")
            self.assertTrue(done.stderr.startswith(f"{name}: "), done.stderr)
            self.assertIn(text, done.stderr.splitlines()[0])

    def test_help_and_version_are_answers_on_standard_output(self):
        for program in PROGRAMS:
            for flag in ("--help", "-h", "--version"):
                with self.subTest(program=program, flag=flag):
                    done = ran(program, flag)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertIn(os.path.basename(program), done.stdout.splitlines()[0])
                    self.assertEqual(done.stderr, "")

    def test_an_unknown_flag_is_named(self):
        for program in PROGRAMS:
            self.expect_usage_error(program, ["--no_such_flag=1"], "no_such_flag")

    def test_a_stray_word_is_named(self):
        for program in PROGRAMS:
            name = os.path.basename(program)
            if name not in TAKES_WORDS:
                self.expect_usage_error(program, [*WORDS_BEFORE_A_STRAY_ONE.get(name, []), "stray"], "stray")

    def test_words_that_are_missing_are_asked_for(self):
        for program in PROGRAMS:
            if os.path.basename(program) in TAKES_WORDS:
                self.expect_usage_error(program, [], "at least one")


if __name__ == "__main__":
    PROGRAMS = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])
