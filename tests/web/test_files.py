"""How lagd serves the dashboard's files: exact names only, ETags, gzip, the page's policy: test_files.py build/lagd"""
import gzip
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import lagd  # noqa: E402

LIMIT_BYTES = 150_000
POLICY = ["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
          "font-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"]


def web_folder():
    return os.path.join(os.path.dirname(lagd.LAGD), "web")


def sources():
    """Every file of the dashboard, as its path below /ui."""
    for folder, _, names in os.walk(web_folder()):
        for name in names:
            if name.endswith((".js", ".css", ".svg", ".html")):
                yield os.path.relpath(os.path.join(folder, name), web_folder())


def address(name):
    return "/" if name == "index.html" else "/ui/" + name


def every_file_is_served(folder):
    daemon = lagd.Daemon(folder)
    daemon.start()
    total = 0
    for name in sources():
        with open(os.path.join(web_folder(), name), "rb") as f:
            content = f.read()
        status, headers, data = daemon.request("GET", address(name), headers={"Accept": "text/html"})
        assert status == 200 and data == content, (name, status)
        assert headers["Cache-Control"] == "no-cache" and headers["X-Content-Type-Options"] == "nosniff", headers
        kind = {"html": "text/html", "css": "text/css", "js": "text/javascript",
                "svg": "image/svg+xml"}[name.split(".")[-1]]
        assert headers["Content-Type"].startswith(kind), (name, headers)
        status, small, data = daemon.request("GET", address(name),
                                             headers={"Accept": "text/html", "Accept-Encoding": "br, gzip;q=0.8"})
        assert status == 200 and small["Content-Encoding"] == "gzip" and gzip.decompress(data) == content, name
        assert small["ETag"] != headers["ETag"] and "Accept-Encoding" in small["Vary"], (headers, small)
        total += len(data)
        for answer in (headers, small):
            more = {"Accept": "text/html", "If-None-Match": answer["ETag"]}
            if answer is small:
                more["Accept-Encoding"] = "gzip"
            status, _, data = daemon.request("GET", address(name), headers=more)
            assert status == 304 and data == b"", (name, status)
        status, plain, data = daemon.request("GET", address(name),
                                             headers={"Accept": "text/html", "Accept-Encoding": "gzip;q=0"})
        assert "Content-Encoding" not in plain and data == content, name
    print(f"        {total} bytes by gzip")
    assert total < LIMIT_BYTES, total
    daemon.terminate()


def nothing_else_is(folder):
    daemon = lagd.Daemon(folder)
    daemon.start()
    bad = ["/ui", "/ui/", "/ui/index.html", "/ui/..", "/ui/../lagd", "/ui/%2e%2e/lagd", "/ui/%252e%252e/lagd",
           "/ui/..%2flagd", "/ui//app.js",
           "/ui/views/../app.js", "/ui/views/..%5capp.js", "/ui/app.js%00.html", "/ui/app.js.gz", "/ui/web_files.h",
           "/ui/views", "/ui/views/",
           "/ui/views/none.js", "/ui/a/b/c.js", "/ui/App.js", "/app.js", "/index.html", "/web/app.js", "/ui\\app.js"]
    for path in bad:
        status, headers, data = daemon.request("GET", path, headers={"Accept": "text/html"})
        assert status in (400, 404), (path, status)
        assert headers["Content-Type"] == "application/problem+json" and b'"status"' in data, (path, headers)
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'", headers
    status, headers, _ = daemon.request("GET", "/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert status == 200 and headers["Content-Security-Policy"].split("; ") == POLICY, headers
    status, headers, _ = daemon.request("GET", "/", headers={"Accept": "application/json"})
    assert status == 200 and headers["Content-Type"] == "application/json", headers
    status, _, data = daemon.request("HEAD", "/ui/app.js")
    assert status == 200 and data == b"", status
    assert daemon.request("POST", "/", b"{}", {"Content-Type": "application/json"})[0] == 405
    daemon.terminate()


def another_folder_can_be_named(folder):
    web = os.path.join(folder, "web")
    os.mkdir(web)
    with open(os.path.join(web, "app.js"), "w") as f:
        f.write("export {};\n")
    daemon = lagd.Daemon(folder, config=f"[server]\nweb_dir = {web}\n")
    daemon.start()
    assert daemon.request("GET", "/ui/app.js")[2] == b"export {};\n"
    assert daemon.request("GET", "/ui/dom.js")[0] == 404
    status, headers, _ = daemon.request("GET", "/", headers={"Accept": "text/html"})
    # no page there: the index of the API
    assert status == 200 and headers["Content-Type"] == "application/json", headers
    assert "server/web_dir" in daemon.log()
    daemon.terminate()


def the_sources_keep_the_rules(folder):
    """No markup from texts, no styles or scripts in elements, nothing from elsewhere."""
    forbidden = [r"\.innerHTML", r"outerHTML", r"insertAdjacentHTML", r"document\.write", r"\beval\(", r"new Function",
                 r"\bstyle="]
    for name in sources():
        if "vendor" in name:
            continue
        with open(os.path.join(web_folder(), name), encoding="utf-8") as f:
            content = f.read()
        for pattern in forbidden:
            assert not re.search(pattern, content), (name, pattern)
        for url in re.findall(r"https?://[^\s'\"`$]+", content):
            assert url == "http://www.w3.org/2000/svg", (name, url)
        if name.endswith(".html"):
            assert not re.search(r"<script(?![^>]*\ssrc=)", content) and not re.search(r"\son\w+=", content), name
        assert content.count("\n") <= 500, name


if __name__ == "__main__":
    if not os.path.exists(os.path.join(os.path.dirname(os.path.abspath(sys.argv[1])), "web", "index.html")):
        print("skipped: this lagd was built without the dashboard")
        sys.exit(77)
    lagd.main(every_file_is_served, nothing_else_is, another_folder_can_be_named, the_sources_keep_the_rules)
