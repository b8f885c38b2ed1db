#!/usr/bin/python3
"""Makes a manual page: man.py PAGE.in LAGD LAGCTL OPENAPI.json > PAGE

Lines such as @keys@ of PAGE.in are replaced by what the programs say of themselves: flags and configuration keys of
lagd, options and commands of lagctl, routes, states and types of events of the OpenAPI document."""
import json
import os
import re
import subprocess
import sys


RUN_HEAD = """# run.json, field by field

What `POST /runs` and `lagctl run create -f run.json` take, from the table that checks it. A slash stands between
levels: `schedule/max_steps` is `{"schedule": {"max_steps": …}}`. Made by
`docs/man.py --table RunRequest docs/openapi.json`.

"""


def escape(text):
    """Text that starts no request, calls no macro and keeps its backslashes."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(^|\s)([.'])", r"\1\\&\2", text)


def sentences(text):
    """A sentence a line, as mdoc wants it."""
    return "".join(escape(s) + "\n" for s in re.split(r"(?<=[.;:]) (?=[A-Z])", text.strip()) if s)


def argument(text):
    return "\\&" + escape(text)


def output_of(*command):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LAGD_")}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def flags(lagd):
    """The rows of `lagd --help` between "Flags:" and the next empty line."""
    rows = output_of(lagd, "--help").split("Flags:\n", 1)[1].split("\n\n", 1)[0].splitlines()
    out = ".Bl -tag -width Ds\n"
    for row in rows:
        flag, value, text = re.match(r"\s+--(\S+)(?: (\S+))?\s{2,}(.+)", row).groups()
        out += ".It Fl Fl %s%s\n%s" % (escape(flag), " Ar " + argument(value) if value else "", sentences(text + "."))
    return out + ".El\n"


def keys(lagd):
    """Sections, comments and defaults of `lagd --print-config`."""
    out, text, section = "", "", None
    for line in output_of(lagd, "--print-config").splitlines():
        if line.startswith("["):
            out += (".El\n" if section else "") + ".Ss Section [%s]\n.Bl -tag -width Ds\n" % line[1:-1]
            section = line[1:-1]
            text = ""
        elif line.startswith("#"):
            text += " " + line[1:].strip()
        elif "=" in line:
            key, default = (part.strip() for part in line.split("=", 1))
            out += ".It Ic %s\n%s" % (escape(key), sentences(text))
            out += "Default:\n.Ql %s .\n" % escape(default).replace(",", ",\\:") if default else "Empty by default.\n"
            out += "Environment:\n.Ev LAGD_%s_%s .\n" % (section.upper(), key.upper())
            text = ""
    return out + ".El\n"


def parameters(operation):
    rows = [p for p in operation.get("parameters", []) if p["in"] == "query"]
    if not rows:
        return ""
    out = ".Bl -tag -width Ds -compact\n"
    for row in rows:
        out += ".It Va %s\n%s" % (argument(row["name"]), sentences(row.get("description", "")))
    return out + ".El\n"


def document_of(openapi):
    with open(openapi, encoding="utf-8") as file:
        return json.load(file)


def states(openapi):
    """A list of the states of each machine, the ends last in the daemon's table."""
    out = ""
    for machine, rows in document_of(openapi)["x-lagd-states"].items():
        out += "States of a %s:\n.Bl -tag -width awaiting_approval -compact\n" % machine
        for row in rows:
            text = row["help"] + ("; an end" if row["terminal"] else "") + "."
            out += ".It Ic %s\n%s" % (escape(row["name"]), sentences(text[0].upper() + text[1:]))
        out += ".El\n.Pp\n"
    return out


def events(openapi):
    """The types of events: what each tells, and which members it may have."""
    out = ".Bl -tag -width Ds\n"
    for kind in document_of(openapi)["x-lagd-events"]["kinds"]:
        text = kind["help"][0].upper() + kind["help"][1:] + "."
        out += ".It Ic %s\n%s" % (escape(kind["type"]), sentences(text))
        if kind["severity"] != "info":
            out += "A %s.\n" % kind["severity"]
        if kind["may_have"]:
            out += "May have\n.Va %s .\n" % " , ".join(kind["may_have"])
    return out + ".El\n"


def limits(schema):
    """Range, choices and default of a field, in words."""
    parts = []
    low, above, high = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    if high is not None and abs(high) >= 2 ** 53 - 1:
        high = None
    if "enum" in schema:
        parts.append("One of " + ", ".join(str(word) for word in schema["enum"]) + ".")
    elif above is not None:
        parts.append("Above %g%s." % (above, " and at most %g" % high if high is not None else ""))
    elif low is not None and high is not None:
        parts.append("%.15g to %.15g." % (low, high))
    elif low is not None:
        parts.append("At least %.15g." % low)
    if "maxLength" in schema:
        parts.append("At most %d bytes." % schema["maxLength"])
    if "default" in schema:
        default = json.dumps(schema["default"], ensure_ascii=False)
        parts.append("Default: %s." % default)
    return " ".join(parts)


def fields(schema, prefix=""):
    """A row a field, nested ones with their path: (path, required, text)."""
    for name, member in schema.get("properties", {}).items():
        needed = "Required. " if name in schema.get("required", []) else ""
        text = " ".join(part for part in (member.get("description", ""), limits(member)) if part)
        yield prefix + name, needed + text
        yield from fields(member, prefix + name + "/")
        for i, item in enumerate(member.get("prefixItems", [])):
            yield "%s%s/%d" % (prefix, name, i), " ".join((item.get("description", ""), limits(item))).strip()


def bodies(openapi):
    """The fields of each request's body, from the same tables that check them."""
    document = document_of(openapi)
    schemas, asked = document["components"]["schemas"], {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content:
                name = content["schema"]["$ref"].rsplit("/", 1)[1]
                asked.setdefault(name, []).append("%s %s" % (method.upper(), path))
    parts = [name for name in schemas if name.endswith("Request") and name not in asked]  # those within others
    out = ""
    for name in [*asked, *parts]:
        out += ".Ss Body %s\n" % name
        if name in asked:
            out += "Of\n" + " ,\n".join(".Ql %s" % escape(one) for one in asked[name]) + " .\n"
        out += ".Bl -tag -width Ds -compact\n"
        for path, text in fields(schemas[name]):
            out += ".It Va %s\n%s" % (argument(path), sentences(text))
        out += ".El\n"
    return out


def table(openapi, name):
    """The same as a table of Markdown: man.py --table NAME OPENAPI.json"""
    schema = document_of(openapi)["components"]["schemas"][name]
    rows = ["| field | what it is |", "| --- | --- |"]
    rows += ["| `%s` | %s |" % (path, text.replace("|", "\\|")) for path, text in fields(schema)]
    return "\n".join(rows) + "\n"


def routes(openapi):
    document = document_of(openapi)
    out = ".Bl -tag -width Ds\n"
    for path, item in document["paths"].items():
        for method, operation in item.items():
            out += ".It Ic %s Pa %s\n%s" % (method.upper(), escape(path), sentences(operation["summary"]))
            out += parameters(operation)
    return out + ".El\n"


def main():
    if sys.argv[1] == "--table":
        sys.stdout.write(RUN_HEAD + table(sys.argv[3], sys.argv[2]))
        return
    page, lagd, lagctl, openapi = sys.argv[1:5]
    parts = {
        "@flags@": lambda: flags(lagd), "@keys@": lambda: keys(lagd), "@routes@": lambda: routes(openapi),
        "@bodies@": lambda: bodies(openapi),
        "@states@": lambda: states(openapi), "@events@": lambda: events(openapi),
        "@commands@": lambda: output_of(lagctl, "--print-mdoc"),
    }
    with open(page, encoding="utf-8") as file:
        for line in file:
            make = parts.get(line.strip())
            sys.stdout.write(make() if make else line)


if __name__ == "__main__":
    main()
