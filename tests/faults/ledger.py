"""What a long walk has behind it: a file of the faults that were walked and broke nothing, for these programs alone.

A line a fault, written when its cycle is judged; the first line names the programs by their content. A file of other
programs is begun anew, since their sites are others. A walk that was ended goes on with what is not in it.
"""
import hashlib
import os


def content_of(paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


class Ledger:
    """Of the file at path, for the programs at programs. Not for several threads at once."""

    def __init__(self, path, programs):
        self.path, self.head = path, f"programs {content_of(programs)}"
        self.sites, self.missed = set(), 0
        lines = []
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                lines = file.read().split("\n")[:-1]  # a line without its end was cut off
        if lines and lines[0] == self.head:
            for line in lines[1:]:
                self.note(*line.split(" "))
        with open(path + ".new", "w", encoding="utf-8") as file:  # whole lines alone
            file.write("\n".join([self.head] + (lines[1:] if self.sites else [])) + "\n")
        os.replace(path + ".new", path)

    def note(self, name, outcome):
        self.sites.add(self.site_of(name))
        self.missed += outcome == "missed"

    @staticmethod
    def site_of(name):
        """The kind and the site of a fault that is named KIND:SITE:CALL:ERROR."""
        return ":".join(name.split(":")[:2])

    def has(self, name):
        return self.site_of(name) in self.sites

    def add(self, name, missed):
        outcome = "missed" if missed else "walked"
        self.note(name, outcome)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{name} {outcome}\n")
