"""Models that people bring: folders of Hugging Face's libraries, imported, begun from and taken away again."""
import hashlib
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hf_folder
import lagd
from gpt2 import read_safetensors
from hf_folder import CONFIG, FOLDERS, files_of, safetensors, shards, tensors
from lagd import Daemon, run_body
from test_hf import export

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "models.txt")


def opened(folder, failpoints=None):
    data = os.path.join(folder, "data")
    os.makedirs(data, exist_ok=True)
    daemon = Daemon(folder, config=f"[storage]\ndataset_roots = {data}\n")
    daemon.start(failpoints=failpoints)
    return daemon, data


def add_tokens(daemon, data, name="tokens", tokens=None):
    tokens = tokens or hf_folder.ids()
    with open(os.path.join(data, name + ".bin"), "wb") as f:
        f.write(struct.pack(f"<{len(tokens)}H", *tokens))
    daemon.post("/datasets", {"name": name, "path": name + ".bin", "format": "nanogpt", "vocab_size": 300})


def bring(daemon, name, path=None):
    """The model once its import has ended."""
    model = daemon.post("/models", {"name": name, "path": path or name})
    assert model["state"] == "importing" and model["id"].startswith("md_"), model
    lagd.until(lambda: daemon.get("/models/" + name)["state"] != "importing", 60)
    return daemon.get("/models/" + name)


def body(name, dataset, source, model=None, **changes):
    made = run_body(name, dataset, **{"from": source, "schedule": {"max_steps": 30}, **changes})
    del made["model"]
    return {**made, "model": model} if model else made


def refused(daemon, status, request, words, pointer=None):
    """POST /runs is refused so, also as a dry run."""
    for path in ("/runs", "/runs?dry_run=true"):
        try:
            daemon.post(path, request)
        except lagd.Problem as problem:
            text = json.dumps(problem.body, ensure_ascii=False)
            assert problem.status == status and words in text, (problem.status, text)
            assert pointer is None or f'"#{pointer}"' in text, text
        else:
            raise AssertionError(f"{path} took {request}")


def goldens():
    with open(GOLDEN) as f:
        return {name: (digest, float(loss)) for name, digest, loss in map(str.split, f)}


def weights_of(files):
    digest = hashlib.sha256()
    for name in sorted(f for f in files if f.endswith(".safetensors")):
        digest.update(files[name])
    return digest.hexdigest()


def numbers_of(files):
    """{name without prefix: (dtype, shape, bytes)} of all weights in the files, without buffers and head."""
    found = {}
    for name, data in files.items():
        if not name.endswith(".safetensors"):
            continue
        for tensor, value in read_safetensors_of(data).items():
            if not tensor.endswith((".attn.bias", ".attn.masked_bias")) and tensor != "lm_head.weight":
                found[tensor.removeprefix("transformer.")] = value
    return found


def read_safetensors_of(data):
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    return {k: (v["dtype"], v["shape"], data[8 + n:][slice(*v["data_offsets"])]) for k, v in header.items()}


# --- cases ---


def torch_s_folders_come_in_and_go_out(folder):
    daemon, data = opened(folder)
    add_tokens(daemon, data)
    for name, (digest, loss) in goldens().items():
        how = FOLDERS[name]
        files = files_of(how)
        assert weights_of(files) == digest  # what PyTorch wrote, to the last byte
        hf_folder.write(os.path.join(data, name), files)
        looks_as_it_is(bring(daemon, name), files, how)
        daemon.post("/runs", body("of-" + name, "tokens", {"model": name}))
        run = daemon.wait_for("/runs/of-" + name, lambda r: r["state"] == "completed")
        assert run["from_model"] == name and run["origin"] is None and run["model"]["vocab_size"] == 320, run
        points = daemon.points("of-" + name)
        assert abs(points[0]["val/loss"] - loss) <= 1e-5, (name, points[0]["val/loss"], loss)
        print(f"        {name}: val/loss {points[0]['val/loss']:.9f}, torch {loss:.9f}")
        assert points[25]["val/loss"] < points[0]["val/loss"]  # it trains
        comes_back_as_it_was(daemon, name, files, how)
    assert [m["name"] for m in daemon.get("/models")["items"]] == list(reversed(goldens()))
    daemon.terminate()


def looks_as_it_is(model, files, how):
    assert model["state"] == "ready" and model["reason"] is None and model["progress"] == 1, model
    assert model["shape"] == {"n_layer": 2, "n_head": 3, "n_embd": 24, "n_inner": 96, "n_positions": 32,
                              "vocab_size": 320, "head_dim": 8}, model["shape"]
    assert model["layer_norm_epsilon"] == 2e-5 and model["dtype"] == how["dtype"].lower(), model
    assert model["n_params"] == sum(hf_folder.count(shape) for _, shape in hf_folder.shapes())
    assert model["tokenizer"] == "BPE" and model["tokenizer_size"] == 300, model
    assert model["config"] == json.loads(files["config.json"])
    assert {f["name"]: f["sha256"] for f in model["files"]} == \
           {k: hashlib.sha256(v).hexdigest() for k, v in files.items()}
    assert model["n_bytes"] == sum(map(len, files.values())), model
    wanted = [n for n, *_ in hf_folder.buffers()] if "with_buffers" in how else []
    wanted = sorted(how["prefix"] + n for n in wanted) + (["lm_head.weight"] if how.get("with_head") else [])
    assert [i["name"] for i in model["ignored"]] == wanted, model["ignored"]
    if "with_buffers" in how:
        assert model["ignored"][0]["dtype"] == how["with_buffers"] and model["ignored"][0]["shape"] == "[1,1,32,32]"
        assert model["ignored"][1]["shape"] == "[]", model["ignored"][1]


def comes_back_as_it_was(daemon, name, files, how):
    first = next(c for c in daemon.get(f"/runs/of-{name}/checkpoints")["items"] if c["step"] == 0)
    assert first["kind"] == "start" and first["keep"], first
    got = export(daemon, first["id"], how["dtype"].lower())
    assert numbers_of({"model.safetensors": got["model.safetensors"]}) == numbers_of(files)
    for one in ("config.json", "tokenizer.json", "special_tokens_map.json"):
        assert got[one] == files[one], one  # verbatim
    assert "generation_config.json" not in got  # it came without
    lineage = json.loads(got["lagd_lineage.json"])
    assert lineage["model"]["name"] == name and lineage["tokenizer"] == {"kind": "BPE", "vocab_size": 300}, lineage
    assert b"It began from the model " + name.encode() in got["README.md"]
    other = "f32" if how["dtype"] != "F32" else "bf16"
    config = json.loads(export(daemon, first["id"], other)["config.json"])
    assert config == {**json.loads(files["config.json"]), "torch_dtype": hf_folder.TORCH[other.upper()]}, config


def each_error_names_its_rule(folder):
    daemon, data = opened(folder)
    good = files_of({"dtype": "F32", "prefix": "", "shards": 3})
    single = files_of({"dtype": "F32", "prefix": "transformer."})

    def config(**changes):
        return {**single, "config.json": json.dumps({**CONFIG, **changes}).encode()}

    def changed(how, change):
        items = tensors(**{"dtype": "F32", "prefix": "", **how})
        return {**single, "model.safetensors": safetensors(change(items))}

    def wrong_shape(items):
        bad = "h.1.mlp.c_fc.weight"
        return [(n, d, [24, 88], b[:24 * 88 * 4]) if n == bad else (n, d, s, b) for n, d, s, b in items]

    def not_finite(items):
        i = [n for n, *_ in items].index("h.0.ln_1.bias")
        name, dtype, shape, data = items[i]
        width = 4 if dtype == "F32" else 2
        bad = {"F32": b"\0\0\xc0\x7f", "F16": b"\0\x7c", "BF16": b"\x80\xff"}[dtype]
        items[i] = (name, dtype, shape, data[:17 * width] + bad + data[18 * width:])
        return items

    shard = "model-00002-of-00003.safetensors"
    index = json.loads(good["model.safetensors.index.json"])
    name = next(n for n, f in index["weight_map"].items() if f == shard)

    def with_index(change):
        new = json.loads(json.dumps(index))
        change(new["weight_map"])
        return {**good, "model.safetensors.index.json": json.dumps(new).encode()}

    narrow = json.loads(good["config.json"])
    narrow["n_inner"] = 88
    first_fc = next(f for t, f in index["weight_map"].items() if t == "h.0.mlp.c_fc.weight")
    without = {k: v for k, v in single.items() if k != "model.safetensors"}
    huge = struct.pack("<Q", (8 << 20) + 1) + b" " * ((8 << 20) + 1)
    cases = [
        ({**good, "config.json": json.dumps(narrow).encode()},
         f"{first_fc}: tensor h.0.mlp.c_fc.weight is [24,96], config.json says [24,88]"),
        (changed({}, wrong_shape),
         "model.safetensors: tensor h.1.mlp.c_fc.weight is [24,88], config.json says [24,96]"),
        (config(scale_attn_by_inverse_layer_idx=True),
         "config.json: scale_attn_by_inverse_layer_idx true is not supported"),
        (config(scale_attn_weights=False), "config.json: scale_attn_weights false is not supported"),
        (config(tie_word_embeddings=False), "config.json: tie_word_embeddings false is not supported"),
        (config(add_cross_attention=True), "config.json: add_cross_attention true is not supported"),
        (config(model_type="llama"), 'config.json: model_type "llama" is not supported'),
        (config(activation_function="relu"), 'config.json: activation_function "relu" is not supported'),
        (config(n_head=5), "config.json: n_embd 24 is not a multiple of n_head 5"),
        (config(n_layer="2"), "config.json: n_layer must be a whole number from 1 to 512"),
        (config(n_layer=10 ** 9), "config.json: n_layer must be a whole number from 1 to 512"),
        (config(hidden_size=25), "config.json: n_embd and hidden_size mean the same and differ"),
        (config(layer_norm_epsilon=0), "config.json: layer_norm_epsilon must be a number above 0"),
        (config(n_ctx=64), "config.json: n_ctx must be n_positions, 32"),
        (config(n_layer=3), "model.safetensors: tensor transformer.h.2.ln_1.weight is missing"),
        (config(n_layer=1), "model.safetensors: tensor transformer.h.1.attn.c_attn.bias is of a layer that is not "
                            "there: config.json says n_layer 1"),
        ({**single, "config.json": b'{"model_type": "gpt2",'}, "config.json: byte "),
        ({k: v for k, v in single.items() if k != "config.json"}, "config.json is missing"),
        (changed({}, not_finite), "model.safetensors: tensor h.0.ln_1.bias: element 17 is not finite"),
        (changed({"dtype": "F16"}, not_finite), "model.safetensors: tensor h.0.ln_1.bias: element 17 is not finite"),
        (changed({"dtype": "BF16"}, not_finite), "model.safetensors: tensor h.0.ln_1.bias: element 17 is not finite"),
        (changed({}, lambda t: t + [("score.weight", "F32", [1], b"\0" * 4)]),
         "model.safetensors: tensor score.weight is none of GPT-2's language model"),
        (changed({}, lambda t: t + [("transformer." + t[5][0], *t[5][1:])]),
         "some names begin with transformer. and some"),
        (changed({"with_head": True}, lambda t: t[:-1] + [(*t[-1][:3], b"\1" + t[-1][3][1:])]),
         "model.safetensors: tensor lm_head.weight is not the embedding bit for bit"),
        (changed({}, lambda t: [(n, "I32" if n == "ln_f.bias" else d, s, b) for n, d, s, b in t]),
         "model.safetensors: tensor ln_f.bias is I32: save it as F32, F16 or BF16"),
        ({**single, "model.safetensors": single["model.safetensors"][:-4]}, "model.safetensors: "),
        ({**single, "model.safetensors": huge}, "the header's length, 8388609, is above the limit of 8388608"),
        ({**without, "pytorch_model.bin": b"PK"}, "only pytorch_model.bin: save it as safetensors first"),
        (without, "model.safetensors is missing"),
        (with_index(lambda m: m.pop(name)), f"{shard}: tensor {name} is not in model.safetensors.index.json"),
        (with_index(lambda m: m.update({name: "model-00001-of-00003.safetensors"})),
         f"{shard}: tensor {name} is here, model.safetensors.index.json says model-00001-of-00003.safetensors"),
        (with_index(lambda m: m.update({"h.0.more": shard})), f"{shard}: tensor h.0.more is missing"),
        (with_index(lambda m: m.update({"x": "../x.safetensors"})),
         "model.safetensors.index.json: weight_map: tensor x:"),
        ({k: v for k, v in good.items() if k != shard},
         f"model.safetensors.index.json: it names {shard}, which is missing"),
        ({**single, "tokenizer.json": b"[1]"}, "tokenizer.json: it has no model with a vocab"),
    ]
    for i, (files, words) in enumerate(cases):
        hf_folder.write(os.path.join(data, f"case-{i}"), files)
        model = bring(daemon, f"case-{i}")
        assert model["state"] == "failed" and words in (model["reason"] or ""), (words, model["state"], model["reason"])
        assert model["files"] == model["ignored"] == [] and model["shape"] is None and model["config"] is None, model
    os.symlink(os.path.join(data, "case-0", "config.json"), os.path.join(data, "case-0", "link"))
    hf_folder.write(os.path.join(data, "links"), {k: v for k, v in single.items() if k != "model.safetensors"})
    with open(os.path.join(folder, "elsewhere"), "wb") as f:
        f.write(single["model.safetensors"])
    os.symlink(os.path.join(folder, "elsewhere"), os.path.join(data, "links", "model.safetensors"))
    assert bring(daemon, "links")["state"] == "failed"  # out of the root
    assert os.listdir(os.path.join(daemon.state_dir, "models")) == []  # nothing is left of any
    # The name of one that failed is free.
    hf_folder.write(os.path.join(data, "good"), single)
    assert bring(daemon, "case-3", "good")["state"] == "ready"
    daemon.terminate()


def what_can_be_told_at_once(folder):
    daemon, data = opened(folder)
    hf_folder.write(os.path.join(data, "one"), files_of(FOLDERS["f32"]))
    for request, status, words in (
            ({"name": "x", "path": "/etc"}, 422, "is not below a folder of storage/dataset_roots"),
            ({"name": "x", "path": "nowhere"}, 422, "is no folder that lagd can see"),
            ({"name": "x", "path": "one/config.json"}, 422, "is no folder that lagd can see"),
            ({"name": "x"}, 422, "/path"),
            ({"name": "x/y", "path": "one"}, 422, "/name")):
        try:
            daemon.post("/models", request)
        except lagd.Problem as problem:
            assert problem.status == status and words in json.dumps(problem.body), (problem.status, problem.body)
        else:
            raise AssertionError(request)
    assert bring(daemon, "one", os.path.join(data, "one") + "/")["state"] == "ready"
    try:
        daemon.post("/models", {"name": "one", "path": "one"})
    except lagd.Problem as problem:
        assert problem.status == 409 and "exists already" in json.dumps(problem.body), problem.body
    daemon.call("DELETE", "/models/one")
    assert os.listdir(os.path.join(daemon.state_dir, "models")) == []
    assert daemon.get("/models")["items"] == []
    daemon.terminate()


def runs_fit_their_model(folder):
    daemon, data = opened(folder)
    daemon.upload("ts", lagd.text())
    add_tokens(daemon, data)
    hf_folder.write(os.path.join(data, "gpt2"), files_of(FOLDERS["bf16"]))
    model = bring(daemon, "gpt2")
    assert model["state"] == "ready", model
    refused(daemon, 422, body("no", "ts", {"model": "gpt2"}),
            "dataset ts holds bytes, model gpt2 needs its tokenizer: tokenise it first", "/dataset")
    refused(daemon, 422, run_body("no", "ts", model={"vocab_size": 50257}),
            "dataset ts holds bytes, of which there are 256, and model/vocab_size is 50257", "/model/vocab_size")
    refused(daemon, 422, body("no", "tokens", {"model": "gpt2"}, model={"n_layer": 4}),
            "model/n_layer is 4, but model gpt2 has 2: leave it out", "/model/n_layer")
    refused(daemon, 422, body("no", "tokens", {"model": "gpt"}), "there is no model gpt", "/from/model")
    refused(daemon, 422, body("no", "tokens", {}), "from must name a model or a checkpoint", "/from")
    refused(daemon, 422, body("no", "tokens", {"model": "gpt2", "moments": True}), "has no moments", "/from/moments")
    refused(daemon, 422, body("no", "tokens", {"checkpoint": "ckpt_x"}), "there is no checkpoint ckpt_x")
    refused(daemon, 400, body("no", "tokens", {"modell": "gpt2"}), "did you mean model?", "/from/modell")
    refused(daemon, 422, body("no", "tokens", "gpt2"), "must be an object", "/from")
    run = daemon.post("/runs", body("same", "tokens", {"model": "gpt2"}, model={"n_layer": 2, "vocab_size": 0}))
    assert run["model"]["n_layer"] == 2 and run["step"] == 0 and run["from_model_id"] == model["id"], run
    try:  # a run is of it
        daemon.call("DELETE", "/models/gpt2")
    except lagd.Problem as problem:
        assert problem.status == 409 and "run same is of this model" in json.dumps(problem.body), problem.body
    daemon.wait_for("/runs/same", lambda r: r["state"] == "completed")
    last = daemon.get("/runs/same/checkpoints")["items"][0]
    # From a checkpoint: its weights at step 0, and its moments where they are asked for.
    for moments in (False, True):
        name = f"again-{moments}".lower()
        made = daemon.post("/runs", body(name, "tokens", {"checkpoint": last["id"], "moments": moments}))
        assert made["origin"]["checkpoint"] == last["id"] and made["origin"]["step"] == 0, made["origin"]
        assert made["from_model"] == "gpt2"
        daemon.wait_for("/runs/" + name, lambda r: r["state"] == "completed")
        first = daemon.get(f"/runs/{name}/checkpoints")["items"][-1]
        file = lambda c, f: daemon.request("GET", f"/api/v1/checkpoints/{c['id']}/files/{f}")[2]
        weights = [read_safetensors_of(file(c, "model.safetensors")) for c in (first, last)]
        assert weights[0] == weights[1]
        before = read_safetensors_of(file(last, "optimizer.safetensors"))
        after = read_safetensors_of(file(first, "optimizer.safetensors"))
        assert (after == before) == moments and moments == any(any(v[2]) for v in after.values()), name
        manifest = json.loads(file(first, "manifest.json"))
        assert manifest["step"] == manifest["schedule_origin"] == 0, manifest["step"]
        assert {s["age"] for s in manifest["segments"]} == {30 if moments else 0}, manifest["segments"][:2]
    assert abs(daemon.points("again-false")[0]["val/loss"] - daemon.points("same")[25]["val/loss"]) < 1
    refused(daemon, 422, body("no", "ts", {"checkpoint": last["id"]}), "dataset ts holds bytes, model gpt2 needs its")
    # A fork is of the model, too.
    fork = daemon.post("/runs/same/fork", {"name": "fork", "schedule": {"max_steps": 40}})
    assert fork["from_model"] == "gpt2"
    daemon.wait_for("/runs/fork", lambda r: r["state"] == "completed")
    daemon.post("/runs", run_body("bytes", "ts", schedule={"max_steps": 12}))
    daemon.wait_for("/runs/bytes", lambda r: r["state"] == "completed")
    of_bytes = daemon.get("/runs/bytes/checkpoints")["items"][0]["id"]
    refused(daemon, 422, body("no", "tokens", {"checkpoint": of_bytes}),
            "dataset tokens holds tokens, but run bytes was trained on bytes")
    for name in ("same", "again-false", "again-true", "fork"):
        daemon.call("DELETE", "/runs/" + name)
    daemon.call("DELETE", "/models/gpt2")
    daemon.terminate()


def a_damaged_model_is_told(folder):
    daemon, data = opened(folder)
    add_tokens(daemon, data)
    hf_folder.write(os.path.join(data, "gpt2"), files_of(FOLDERS["f32"]))
    model = bring(daemon, "gpt2")
    path = os.path.join(daemon.state_dir, "models", model["id"], "model.safetensors")
    with open(path, "r+b") as f:
        f.seek(-1, 2)
        f.write(b"\x40")
    for words, status in (("is damaged: its SHA-256", 500), ("is not there: put it back", 409)):
        try:
            daemon.post("/runs", body("no", "tokens", {"model": "gpt2"}))
        except lagd.Problem as problem:
            assert problem.status == status and words in json.dumps(problem.body), (problem.status, problem.body)
        else:
            raise AssertionError("a run was made of damaged weights")
        os.rename(path, path + ".away") if os.path.exists(path) else None
    assert os.listdir(os.path.join(daemon.state_dir, "runs")) == []
    daemon.terminate()


def one_that_cannot_begin_was_not_asked(folder):
    """There is no memory for its job: who asks again, with the same key, gets what he asked for."""
    if not lagd.has_failpoints():
        return
    daemon, data = opened(folder, failpoints="model.begin=fail")
    hf_folder.write(os.path.join(data, "plain"), files_of(FOLDERS["f32"]))
    body = {"name": "plain", "path": "plain"}
    answers = [daemon.request("POST", "/api/v1/models", body, {"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0][0] >= 400 and answers[1][0] == 202, answers
    found = daemon.wait_for("/models/plain", lambda m: m["state"] != "importing")
    assert found["state"] == "ready", found
    daemon.terminate()


def killed_while_importing(folder):
    """Whatever was done by then: the next start goes on, and nothing is half listed."""
    if not lagd.has_failpoints():
        return
    points = ("model.inserted", "model.import", "model.marked", "model.chunk", "model.copied", "model.checked",
              "model.ready")
    for point in points:
        place = os.path.join(folder, point)
        os.makedirs(place)
        daemon, data = opened(place, failpoints=f"{point}=kill")
        hf_folder.write(os.path.join(data, "gpt2"), files_of(FOLDERS["bf16"]))
        try:
            daemon.post("/models", {"name": "gpt2", "path": "gpt2"})
        except OSError:
            pass
        except Exception as problem:  # it died while it answered
            assert "Remote" in type(problem).__name__ or "Incomplete" in type(problem).__name__, problem
        daemon.process.wait(lagd.slow(30))
        daemon.start()
        lagd.until(lambda: daemon.get("/models/gpt2")["state"] != "importing", 30)
        model = daemon.get("/models/gpt2")
        assert model["state"] == "ready" and len(model["files"]) == 7, (point, model)
        assert os.listdir(os.path.join(daemon.state_dir, "models")) == [model["id"]], point
        files = os.listdir(os.path.join(daemon.state_dir, "models", model["id"]))
        assert sorted(f for f in files if f != ".unlisted") == sorted(f["name"] for f in model["files"]), (point, files)
        # A deletion that is cut short is carried out by the next start.
        daemon.kill()
        daemon.start(failpoints="model.deleted=kill")
        try:
            daemon.call("DELETE", "/models/gpt2")
        except Exception:
            pass
        daemon.process.wait(lagd.slow(30))
        daemon.start()
        assert daemon.get("/models")["items"] == [], point
        assert os.listdir(os.path.join(daemon.state_dir, "models")) == [], point
        daemon.terminate()


def killed_while_a_run_begins(folder):
    if not lagd.has_failpoints():
        return
    daemon, data = opened(folder)
    add_tokens(daemon, data)
    hf_folder.write(os.path.join(data, "gpt2"), files_of(FOLDERS["f16"]))
    assert bring(daemon, "gpt2")["state"] == "ready"
    for point in ("begin.loaded", "fork.copied", "fork.written"):
        daemon.kill()
        daemon.start(failpoints=f"{point}=kill")
        try:
            daemon.post("/runs", body("run", "tokens", {"model": "gpt2"}))
        except Exception:
            pass
        daemon.process.wait(lagd.slow(30))
        daemon.start()
        runs = daemon.get("/runs")["items"]
        assert len(runs) == (point == "fork.written"), (point, runs)
        assert len(os.listdir(os.path.join(daemon.state_dir, "runs"))) == len(runs), point
    daemon.wait_for("/runs/run", lambda r: r["state"] == "completed")
    daemon.terminate()


if __name__ == "__main__":
    lagd.main(torch_s_folders_come_in_and_go_out, each_error_names_its_rule, what_can_be_told_at_once,
              runs_fit_their_model, a_damaged_model_is_told, one_that_cannot_begin_was_not_asked,
              killed_while_importing, killed_while_a_run_begins)
