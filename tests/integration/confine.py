"""Puts this process, and what it executes, under the restrictions of a unit that seccomp and prctl make:
SystemCallFilter=, RestrictAddressFamilies=, MemoryDenyWriteExecute=. By libseccomp itself (package libseccomp2), which
systemd uses too."""
import ctypes
import ctypes.util
import os
import re
import subprocess

PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 38, 65, 1
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NE, MASKED_EQ = 1, 7  # enum scmp_compare
UNKNOWN = -1
EPERM, EAFNOSUPPORT = 1, 97
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def library():
    lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    lib.seccomp_init.restype = ctypes.c_void_p
    for name in ("seccomp_load", "seccomp_release", "seccomp_attr_set"):
        getattr(lib, name).argtypes = [ctypes.c_void_p] + [ctypes.c_uint32] * (2 if name == "seccomp_attr_set" else 0)
    lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
                                           ctypes.POINTER(Compare)]
    lib.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    return lib


def settings(unit, name):
    with open(unit) as f:
        return re.findall(rf"^{name}=(.*)$", f.read(), re.M)


def members(group):
    """The system calls of a group, those of groups within it too."""
    text = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", group], capture_output=True, text=True,
                          check=True).stdout
    calls = set()
    for line in text.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            calls |= members(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def allowed(unit):
    calls = set()
    for value in settings(unit, "SystemCallFilter"):
        words = value.lstrip("~").split()
        named = set().union(*(members(word) if word.startswith("@") else {word} for word in words))
        calls = calls - named if value.startswith("~") else calls | named
    return calls


def must(result, what):
    if result != 0:
        raise OSError(f"{what}: {result}")


def load(lib, default, rules):
    """One filter; every filter that is loaded must let a call pass."""
    context = lib.seccomp_init(default)
    for action, name, comparisons in rules:
        number = lib.seccomp_syscall_resolve_name(name.encode())
        if number == UNKNOWN:
            continue  # of another kernel or processor
        array = (Compare * max(1, len(comparisons)))(*comparisons)
        result = lib.seccomp_rule_add_array(context, action, number, len(comparisons), array)
        if result not in (0, -38, -33, -22) or (result and number >= 0):
            raise OSError(f"seccomp rule for {name}: {result}")
    must(lib.seccomp_load(context), "seccomp_load")
    lib.seccomp_release(context)


def by_unit(unit):
    lib, libc = library(), ctypes.CDLL(None, use_errno=True)
    calls = allowed(unit)
    families = [FAMILIES[word] for value in settings(unit, "RestrictAddressFamilies") for word in value.split()]
    denies_exec = settings(unit, "MemoryDenyWriteExecute") == ["yes"]
    if len(calls) < 100 or not families or not denies_exec:
        raise SystemExit(f"{unit} is not as strict as expected: {len(calls)} calls, {families}, {denies_exec}")
    must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    deny = ERRNO | EPERM
    load(lib, ALLOW, [(deny, "mmap", [Compare(2, MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC | PROT_WRITE)]),
                      (deny, "mprotect", [Compare(2, MASKED_EQ, PROT_EXEC, PROT_EXEC)]),
                      (deny, "pkey_mprotect", [Compare(2, MASKED_EQ, PROT_EXEC, PROT_EXEC)]),
                      (deny, "shmat", [Compare(2, MASKED_EQ, SHM_EXEC, SHM_EXEC)])])
    if len(families) != 1:
        raise SystemExit("more than one address family")
    load(lib, ALLOW, [(ERRNO | EAFNOSUPPORT, "socket", [Compare(0, NE, families[0], 0)])])
    libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)  # kernel 6.3; the filter above does without
    load(lib, deny, [(ALLOW, name, []) for name in sorted(calls)])


def check():
    """What must be refused from here on is: a confinement that lets everything pass would prove nothing."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    refused = {
        "writable and executable memory": libc.mmap(None, 4096, 7, 0x22, -1, 0) == ctypes.c_void_p(-1).value,
        "chroot": libc.chroot(b"/") != 0,
        "an internet socket": libc.socket(2, 1, 0) < 0,
        "swap": libc.swapoff(b"/nowhere") != 0 and ctypes.get_errno() == EPERM,
    }
    passed = [what for what, is_refused in refused.items() if not is_refused]
    if passed:
        raise SystemExit(f"not confined: {passed}")
    os.close(os.open("/dev/null", os.O_RDONLY))
