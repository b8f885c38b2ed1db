#!/usr/bin/env python3
"""Writes the numbered migrations as a C table: embed_sql.py OUT.c 001_name.sql 002_name.sql ..."""
import os
import re
import sys


def main(out, paths):
    lines = ['/* Made by embed_sql.py from storage/migrations/. */', '#include "migrate_internal.h"', '']
    rows = []
    for number, path in enumerate(sorted(paths, key=os.path.basename), 1):
        name = os.path.basename(path)
        if not re.fullmatch(r'%03d_[a-z0-9_]+\.sql' % number, name):
            sys.exit(f'{name}: migrations are numbered without gaps; number {number:03d} comes here')
        with open(path, encoding='ascii') as f:
            text = f.read()
        # One literal a line keeps the result readable and each literal short.
        lines.append(f'static const char sql_{number}[] =')
        for line in text.splitlines():
            lines.append('    "%s\\n"' % line.replace('\\', '\\\\').replace('"', '\\"'))
        lines[-1] += ';'
        rows.append(f'    {{{number}, "{name[:-4]}", sql_{number}}},')
    lines += ['', 'const struct lag_migration lag_migrations[] = {', *rows, '};',
              'const int lag_n_migrations = %d;' % len(rows), '']
    with open(out, 'w', encoding='ascii') as f:
        f.write('\n'.join(lines))


main(sys.argv[1], sys.argv[2:])
