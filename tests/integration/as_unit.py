"""Starts a program as the service manager would: usage: as_unit.py [--fds 7,9] [--confine UNIT] PROGRAM ARGUMENTS…

--fds: these descriptors become 3, 4, … with LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES.
--confine: SystemCallFilter=, RestrictAddressFamilies= and MemoryDenyWriteExecute= of the unit hold from here on.
"""
import argparse
import os
import sys


def pass_on(fds):
    high = [os.dup(fd) for fd in fds]
    while any(fd < 3 + len(fds) for fd in high):
        high = [os.dup(fd) for fd in high]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i, inheritable=True)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)),
                      LISTEN_FDNAMES=":".join(["lagd"] * len(fds)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fds", default="")
    parser.add_argument("--confine")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.fds:
        pass_on([int(fd) for fd in options.fds.split(",")])
    if options.confine:
        import confine  # pylint: disable=import-outside-toplevel # needs libseccomp
        confine.by_unit(options.confine)
        confine.check()
    os.execv(options.command[0], options.command)


if __name__ == "__main__":
    sys.exit(main())
