"""The file that the preloaded library and the driver share (faults.h), read and written from here."""
import mmap
import os
import struct
import subprocess

MAGIC = 0x7a6c7431
SITES, FRAMES, IMAGES, NAME, KINDS = 1 << 15, 13, 32, 96, 32
HEADER = struct.Struct("<IIIiQQQ")           # magic, armed, kind, error; site, first, count
REPORT = struct.Struct("<QQQ")               # n_failed, failed_site, lost
CALLS = HEADER.size + REPORT.size
IMAGE_NAMES = CALLS + 8 * KINDS
KIND_NAMES = IMAGE_NAMES + IMAGES * NAME
TABLE = KIND_NAMES + KINDS * 16
SITE = struct.Struct("<QQQ%dQ" % FRAMES)     # site, n, kind, frames
SIZE = TABLE + SITES * SITE.size
ALL = 1 << 62                                # calls: every one from the first on


def text_of(data):
    return data.split(b"\0")[0].decode()


class Plan:
    """One file. Before the library has written it, it knows no kinds: learn() waits for nothing and may be repeated."""

    def __init__(self, path):
        self.path = path
        with open(path, "a+b") as file:
            file.truncate(SIZE)
            self.memory = mmap.mmap(file.fileno(), SIZE)

    def close(self):
        self.memory.close()

    def kinds(self):
        names = [text_of(self.memory[KIND_NAMES + 16 * i:KIND_NAMES + 16 * (i + 1)]) for i in range(KINDS)]
        return [name for name in names if name]

    def arm(self, kind_number, site, first, count, error):
        """These calls fail from now on: of this site, or (0) of the kind wherever they are."""
        HEADER.pack_into(self.memory, 0, HEADER.unpack_from(self.memory)[0], 0, kind_number, error, site, first, count)
        struct.pack_into("<I", self.memory, 4, 1)

    def mend(self):
        struct.pack_into("<I", self.memory, 4, 0)

    def failed(self):
        """(calls that failed, the site of the first of them)."""
        return REPORT.unpack_from(self.memory, HEADER.size)[:2]

    def lost(self):
        return REPORT.unpack_from(self.memory, HEADER.size)[2]

    def calls(self):
        counts = struct.unpack_from("<%dQ" % KINDS, self.memory, CALLS)
        return dict(zip(self.kinds(), counts))

    def sites(self):
        """{site: (kind, calls, frames)} of all that were seen; a frame is (name of the image, offset)."""
        found, kinds = {}, self.kinds()
        images = [text_of(self.memory[at:at + NAME]) for at in range(IMAGE_NAMES, KIND_NAMES, NAME)]
        for i in range(SITES):
            site, n, kind, *frames = SITE.unpack_from(self.memory, TABLE + i * SITE.size)
            if site:
                stack = [(images[f >> 48] if f >> 48 else "", f & ((1 << 48) - 1)) for f in frames if f]
                found[site] = (kinds[kind], n, stack)
        return found


def function_names(program, offsets):
    """{offset: "function (file:line)"} of return addresses in the program, as far as they are known."""
    asked = "\n".join(hex(offset - 1) for offset in offsets)
    try:
        lines = subprocess.run(["addr2line", "-f", "-s", "-e", program], input=asked, capture_output=True, text=True,
                               check=True).stdout.splitlines()
        return {offset: "%s (%s)" % (lines[2 * i], lines[2 * i + 1].split(" ")[0]) for i, offset in enumerate(offsets)}
    except (OSError, subprocess.CalledProcessError, IndexError):
        return {}


def tell_stack(program, frames):
    """The functions of a stack, innermost first: those of the program by name, others by library."""
    names = function_names(program, [offset for image, offset in frames if not image])
    return ["%s+%#x" % (image, offset) if image else names.get(offset, "lagd+%#x" % offset) for image, offset in frames]


def preloaded(library):
    """What starts a program with the library. Sanitizers want to come first, and need not."""
    preload = {"LD_PRELOAD": library}
    if "ASAN_OPTIONS" in os.environ:
        preload["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
    return preload


def environment(library, path, folder):
    """What starts a program under the library of faults."""
    return {**preloaded(library), "FAULTS_MAP": path, "FAULTS_DIR": os.path.realpath(folder)}
