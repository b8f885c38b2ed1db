#!/usr/bin/python3
"""Calls, texts and habits that lagd does not use: usage: check_forbidden.py SOURCE_FOLDER | --self-test"""
import re

import lint

MAIN = r"main/"
TESTS = r"tests/"

# Calls: names, where they are allowed all the same (a pattern of paths), what to do instead.
CALLS = [
    ("exit|_exit|_Exit|quick_exit|abort", MAIN + "|" + TESTS, "return an error; only main/ ends the process"),
    ("strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strncat", None, "use lag_copy, lag_strbuf or snprintf"),
    ("strtok|ctime|asctime|localtime|gmtime|readdir_r", None,
     "use the form that is safe with threads"),
    ("rand|srand|random|srandom|drand48|rand_r", TESTS, "use the counter-based generator, or getrandom"),
    ("system|popen", TESTS, "lagd starts no shell"),
    ("atoi|atol|atoll|atof|strtol|strtoul|strtoull|strtod", r"base/parse\.c|" + TESTS, "use lag_parse_…"),
    ("setlocale|uselocale", None, "numbers are read and written in the C locale"),
    ("tmpnam|tempnam|mktemp|tmpfile", None, "use mkostemp or mkdtemp"),
    ("alloca", None, "the stack is not for data"),
    ("pthread_create|thrd_create|fork|vfork", r"base/thread\.c|" + TESTS, "start threads by lag_thread_start"),
    ("signal", TESTS, "use sigaction or signalfd"),
]

# Patterns over code without comments and texts: pattern, files, allowed, what to do instead.
CODE = [
    (r"\blag_log\s*\(\s*LAG_LOG_(?!DEBUG)", r"(engine|storage)/", None, "engine and storage never log above debug"),
    (r"\blag_store_(write|points|flush|open)\b", r"api/", None, "the api only reads; changes go through the daemon"),
    (r"\blag_(run|growth|candidate)_set_state\b", r"(daemon|api|main)/", r"daemon/records/post\.c",
     "states change by events: lagd_tx_post"),
    (r"\bjson_(object_set|array_append|array_set|array_insert)(_nocheck)?\s*\([^;]*,\s*json_(pack|object|array|string\w*|"
     r"integer|real|true|false|null)\s*\(", r"", None, "this leaks the new value: use the _new form"),
]

# Patterns over whole texts: pattern, file suffixes, what to do instead. Words are put together here, so that this file
# does not contain them.
TEXTS = [
    (r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b", (".c", ".h", ".py", ".sh", ".js", ".mjs", ".build", ".md", ".sql"),
     "finish it, or open an issue"),
    (r"(?i)\b(not (yet )?implemented|place" r"holder|for" r" now\b[^a-z]*$)", (".c", ".h"),
     "finish it, or leave it out"),
    (r"(?<![\w.$}])/(wo" r"rk|ro" r"ot|ho" r"me/\w+)/", (".c", ".h", ".py", ".sh", ".js", ".build", ".md", ".json",
                                                         "dev"),
     "no paths of one machine"),
    (r"-ffast" r"-math", (".build",), "name the single optimisations that are safe"),
]

SET_NEW = re.compile(r"\bjson_(?:object_set|array_append|array_set|array_insert)_new(?:_nocheck)?\s*"
                     r"\(([^;]*?),\s*(\w+)\s*\)")


def check_stolen(path, code):
    """A …_new call takes its value even when it fails: a json_decref of the same name after it frees it twice."""
    for match in SET_NEW.finditer(code):
        value = match.group(2)
        end = re.compile(r"^}", re.M).search(code, match.end())
        rest = code[match.end():end.start() if end else len(code)]
        again = re.search(r"\bjson_decref\s*\(\s*%s\s*\)" % value, rest)
        anew = re.search(r"\b%s\s*=[^=]" % value, rest)
        if again and not (anew and anew.start() < again.start()):
            yield "%s:%d: json_decref(%s) after a …_new call took it" % (
                path, lint.line_of(code, match.end() + again.start()), value)


def check_code(path, code):
    for names, allowed, advice in CALLS:
        if allowed and re.match(allowed, path):
            continue
        for match in re.finditer(r"(?<![\w.>])(%s)\s*\(" % names, code):
            yield "%s:%d: %s: %s" % (path, lint.line_of(code, match.start()), match.group(1), advice)
    for pattern, where, allowed, advice in CODE:
        if not re.match(where, path) or (allowed and re.match(allowed, path)):
            continue
        for match in re.finditer(pattern, code):
            yield "%s:%d: %s" % (path, lint.line_of(code, match.start()), advice)
    yield from check_stolen(path, code)


def check(root):
    for path in lint.files(root, ".c", ".h"):
        yield from check_code(path, lint.code_only(lint.read(root, path)))
    for pattern, suffixes, advice in TEXTS:
        for path in lint.files(root, *suffixes):
            text = lint.read(root, path)
            for match in re.finditer(pattern, text, re.M):
                yield "%s:%d: %r: %s" % (path, lint.line_of(text, match.start()), match.group(), advice)


def one(code, path="base/x.c"):
    return {path: code}


PLANTED = [
    (None, one("/* exit(1) */ const char *s = \"system(\"; int lag_exit(int); x.exit(1); p->system(2); "
               "on_exit2(3);\n")),
    (None, one("exit(1);\n", "main/lagd.c")),
    (None, one("json_t *v = json_object(); json_object_set_new(o, \"k\", v);\n", "api/x.c")),
    (None, one("f() {\n    json_array_append_new(a, v);\n}\ng() {\n    json_decref(v);\n}\n", "api/x.c")),
    (None, one("f() {\n    json_array_append_new(a, v);\n    v = json_null();\n    json_decref(v);\n}\n", "api/x.c")),
    (None, one("lag_log(LAG_LOG_DEBUG, 1);\n", "storage/x.c")),
    (None, one("char name[] = \"f.tmpXXXXXX\"; /* the todo list for now and then */\n")),
    ("exit: return an error", one("if (x) exit (1);\n")),
    ("abort: return an error", one("abort();\n", "daemon/run.c")),
    ("strcpy: use", one("strcpy(a, b);\n", "tests/base/x.c")),
    ("sprintf: use", one("sprintf(a, b);\n")),
    ("strtok: use", one("strtok(a, b);\n")),
    ("rand: use", one("x = rand();\n", "engine/x.c")),
    ("system: lagd", one("system(a);\n", "cli/x.c")),
    ("atoi: use", one("atoi(a);\n", "api/x.c")),
    ("pthread_create: start", one("pthread_create(a);\n", "engine/x.c")),
    ("setlocale", one("setlocale(LC_ALL, a);\n")),
    ("mktemp", one("mktemp(a);\n")),
    ("alloca", one("alloca(9);\n")),
    ("signal: use", one("signal(SIGINT, f);\n", "main/lagd.c")),
    ("never log above debug", one("lag_log( LAG_LOG_ERROR, a);\n", "storage/x.c")),
    ("the api only reads", one("lag_store_write(s, f, a, e);\n", "api/x.c")),
    (None, one("lag_run_set_state(db, a, b, c, e);\n", "daemon/records/post.c")),
    ("states change by events", one("rc = lag_growth_set_state(db, a, b, c, e);\n", "daemon/train/x.c")),
    ("states change by events", one("x = {lag_candidate_set_state};\n", "daemon/records/x.c")),
    ("this leaks", one("json_object_set(o, k,\n    json_integer(3));\n", "api/x.c")),
    ("base/x.c:3: json_decref(v)",
     one("f() {\n    if (json_object_set_new(o, \"k\", v) < 0)\n        json_decref(v);\n}\n")),
    ("finish it, or open", one("/* TO" "DO: more */\n")),
    ("finish it, or open", one("# FIX" "ME\n", "cli/x.sh")),
    ("finish it, or leave", one("return 0; /* not imple" "mented */\n")),
    ("no paths of one", one("cd /wo" "rk/main\n", "cli/x.sh")),
    ("no paths of one", one("\"/ho" "me/someone/x\"\n")),
    ("safe", one("c_args: '-ffast" "-math'\n", "engine/meson.build")),
]

if __name__ == "__main__":
    lint.main(check, PLANTED)
