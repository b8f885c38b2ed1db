#!/usr/bin/python3
"""Help, manual and completions name exactly what the programs have: check_docs.py LAGD LAGCTL OPENAPI.json FOLDER

FOLDER holds the built pages and completions. Pages are read as text by mandoc or groff, and linted by both."""
import json
import os
import re
import shutil
import subprocess
import sys

PAGES = ("lagctl.1", "lagd.conf.5", "lagd-api.7", "lagd.8", "lagd-notify.8")
faults = []


def expect(good, text):
    if not good:
        faults.append(text)


def run(*command, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith("LAGD_")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**env, **environment})


def output_of(*command, **environment):
    result = run(*command, **environment)
    expect(result.returncode == 0, "%s ends with status %d" % (" ".join(command)[:200], result.returncode))
    return result.stdout


def rendered(path):
    """The page as one line of plain text."""
    if shutil.which("mandoc"):
        text = output_of("mandoc", "-T", "utf8", "-O", "width=1000", path)
    else:
        text = output_of("groff", "-mandoc", "-Tascii", "-P-c", "-rLL=1000n", path)
    text = re.sub(r"\x1b\[[0-9;]*m", "", re.sub(".\b", "", text))
    return re.sub(r"\s+", " ", text.translate({0x2010: "-", 0x2212: "-"}))


def lint(path):
    if shutil.which("mandoc"):
        result = run("mandoc", "-T", "lint", "-W", "warning", path)
        expect(result.returncode == 0, "mandoc: " + result.stdout[:1000])
    if shutil.which("groff"):
        result = run("groff", "-mandoc", "-Tutf8", "-ww", "-z", path)
        expect(result.returncode == 0 and not result.stderr, "groff: " + result.stderr[:1000])


def commands_of(lagctl):
    """(words, arguments) of every command of --help."""
    rows = output_of(lagctl, "--help").split("Commands:\n")[1].split("\n\n")[0].splitlines()
    found = []
    for row in rows:
        if row.startswith("  ") and row[2] != " ":
            words = re.split(r"\s{2,}", row.strip())[0].split(" ")
            n = next((i for i, w in enumerate(words) if re.match(r"[\[A-Z]|\w+\|", w)), len(words))
            found.append((" ".join(words[:n]), " ".join(words[n:])))
    return found


def options_of(lagctl, words):
    text = output_of(lagctl, *words.split(), "--help") if words else output_of(lagctl, "--help")
    return set(re.findall(r"^  (?:-\w, |    )(--[a-z-]+)", text, re.M))


def check_lagctl(lagctl, folder):
    page = rendered(os.path.join(folder, "lagctl.1"))
    commands = commands_of(lagctl)
    expect(len(commands) >= 30, "only %d commands in --help" % len(commands))
    for words, arguments in commands:
        expect((words + " " + arguments).strip() in page, "lagctl(1) lacks '%s %s'" % (words, arguments))
        for option in options_of(lagctl, words):
            expect(option in page, "lagctl(1) lacks %s" % option)
    with open(os.path.join(folder, "lagctl.1"), encoding="utf-8") as file:
        entries = re.findall(r"^\.It((?: Cm \\&[\w-]+)+)", file.read(), re.M)
    differ = {" ".join(re.findall(r"Cm \\&([\w-]+)", entry)) for entry in entries} ^ {words for words, _ in commands}
    expect(not differ, "lagctl(1) and --help differ: %s" % differ)
    for status in ("0 Done", "2 Wrong usage", "130 Interrupted"):
        expect(status in page, "lagctl(1) lacks exit status %s" % status)
    return commands


def check_bash(lagctl, folder, commands):
    """Asks the completion itself, in bash."""
    script = "source '%s'\n" % os.path.join(folder, "lagctl")
    script += 't() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lagctl; echo "${COMPREPLY[*]}"; }\n'
    asked = [""] + sorted({words.split()[0] for words, _ in commands if " " in words})
    script += "".join("t lagctl %s ''\n" % group for group in asked)
    script += "".join("t lagctl %s -\n" % words for words, _ in commands)
    lines = output_of("bash", "-c", script, PATH=os.path.dirname(lagctl) + ":" + os.environ["PATH"],
                      LAGD_SOCKET="/nonexistent").splitlines()
    offered = dict(zip(asked, (set(line.split()) for line in lines)))
    expect(offered[""] == {words.split()[0] for words, _ in commands}, "bash offers %s first" % offered[""])
    for group in asked[1:]:
        wanted = {words.split()[1] for words, _ in commands if words.startswith(group + " ")}
        expect(offered[group] == wanted, "bash offers %s after %s" % (offered[group], group))
    for (words, _), line in zip(commands, lines[len(asked):]):
        found = {word for word in line.split() if word.startswith("--")}
        differ = found ^ options_of(lagctl, words)
        expect(not differ, "bash and --help differ for %s: %s" % (words, differ))


def check_zsh(folder):
    if shutil.which("zsh"):
        result = run("zsh", "-n", os.path.join(folder, "_lagctl"))
        expect(result.returncode == 0, "zsh: " + result.stderr[:500])
    with open(os.path.join(folder, "_lagctl"), encoding="utf-8") as file:
        expect(file.readline() == "#compdef lagctl\n", "_lagctl does not begin with #compdef")


def check_lagd(lagd, openapi, folder):
    page = rendered(os.path.join(folder, "lagd.conf.5"))
    config = output_of(lagd, "--print-config")
    keys = re.findall(r"^(\w+) = ?(.*)$", config, re.M)
    expect(len(keys) >= 18, "only %d keys" % len(keys))
    for section in re.findall(r"^\[(\w+)\]$", config, re.M):
        expect("Section [%s]" % section in page, "lagd.conf(5) lacks [%s]" % section)
    for key, preset in keys:
        expect(re.search(r"\b%s\b.{0,400}_%s\b" % (key, key.upper()), page), "lagd.conf(5) lacks %s" % key)
        expect(preset.strip() in page, "lagd.conf(5) lacks the default %s of %s" % (preset, key))
    page = rendered(os.path.join(folder, "lagd.8"))
    for flag in re.findall(r"^  (--[a-z-]+)", output_of(lagd, "--help").split("Keys,")[0], re.M):
        expect(flag in page, "lagd(8) lacks %s" % flag)
    page = rendered(os.path.join(folder, "lagd-api.7"))
    with open(openapi, encoding="utf-8") as file:
        document = json.load(file)
    n_routes = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            n_routes += 1
            expect("%s %s " % (method.upper(), path) in page, "lagd-api(7) lacks %s %s" % (method.upper(), path))
            summary = re.sub(r"\s+", " ", operation["summary"])[:40]
            expect(summary in page, "lagd-api(7) lacks '%s'" % summary)
    made = output_of(sys.executable, os.path.join(os.path.dirname(openapi), "man.py"), "--table", "RunRequest", openapi)
    with open(os.path.join(os.path.dirname(openapi), "run.md"), encoding="utf-8") as file:
        expect(file.read() == made, "docs/run.md is old: docs/man.py --table RunRequest docs/openapi.json >docs/run.md")
    n_fields = 0
    for name, schema in document["components"]["schemas"].items():
        for field in schema["properties"] if re.search(r"(Request|Patch)$", name) else ():
            n_fields += 1
            expect(re.search(r"Body %s\b.*\b%s\b" % (name, field), page), "lagd-api(7) lacks %s of %s" % (field, name))
    expect(n_fields >= 60, "only %d fields of bodies" % n_fields)
    expect(n_routes >= 40, "only %d routes" % n_routes)


def main():
    lagd, lagctl, openapi, folder = (os.path.abspath(path) for path in sys.argv[1:5])
    for page in PAGES:
        lint(os.path.join(folder, page))
    commands = check_lagctl(lagctl, folder)
    check_bash(lagctl, folder, commands)
    check_zsh(folder)
    check_lagd(lagd, openapi, folder)
    print("\n".join(faults) or "help, manual and completions agree")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
