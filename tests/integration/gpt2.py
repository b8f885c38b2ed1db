"""What tests know of GPT-2 apart from lagd: the model in plain Python, and the format of its files."""
import json
import math
import struct

WIDTH = {"F32": 4, "BF16": 2, "F16": 2}


def read_safetensors(data):
    """{name: (dtype, shape, bytes)} and the metadata; every rule of the format is looked at."""
    n = struct.unpack("<Q", data[:8])[0]
    assert n % 8 == 0 and data[8:9] == b"{", n
    header = json.loads(data[8:8 + n])
    metadata = header.pop("__metadata__")
    assert all(isinstance(v, str) for v in metadata.values()), metadata
    at, tensors = 0, {}
    for name, one in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = one["data_offsets"]
        assert begin == at and end - begin == math.prod(one["shape"]) * WIDTH[one["dtype"]], (name, one, at)
        tensors[name] = (one["dtype"], one["shape"], data[8 + n + begin:8 + n + end])
        at = end
    assert 8 + n + at == len(data), (n, at, len(data))
    return tensors, metadata


def layer_norm(x, weight, bias, epsilon):
    mean = sum(x) / len(x)
    scale = 1 / math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + epsilon)
    return [(v - mean) * scale * w + b for v, w, b in zip(x, weight, bias)]


def affine(x, columns, bias):
    return [sum(a * b for a, b in zip(x, column)) + c for column, c in zip(columns, bias)]


class Model:
    """GPT-2 in double precision."""

    def __init__(self, config, tensors):
        """tensors: {name without prefix: (shape, numbers)}; matrices as Hugging Face's GPT-2 has them, [in][out]."""
        self.config = config
        self.p = {}
        for name, (shape, flat) in tensors.items():
            rows = [flat[i:i + shape[-1]] for i in range(0, len(flat), shape[-1])]
            self.p[name] = flat if len(shape) == 1 else rows if name.startswith("w") else list(zip(*rows))

    @classmethod
    def of_files(cls, files):
        tensors = {}
        for name, (dtype, shape, data) in read_safetensors(files["model.safetensors"])[0].items():
            assert dtype == "F32"
            tensors[name.removeprefix("transformer.")] = shape, struct.unpack(f"<{len(data) // 4}f", data)
        return cls(json.loads(files["config.json"]), tensors)

    def layer(self, i, hidden):
        c, n_head = self.config["n_embd"], self.config["n_head"]
        part = lambda name: (self.p[f"h.{i}.{name}.weight"], self.p[f"h.{i}.{name}.bias"])
        norm = lambda name: [layer_norm(x, *part(name), self.config["layer_norm_epsilon"]) for x in hidden]
        qkv = [affine(x, *part("attn.c_attn")) for x in norm("ln_1")]
        size = c // n_head
        for t, x in enumerate(hidden):
            mixed = []
            for head in range(n_head):
                begin = head * size
                q = qkv[t][begin:begin + size]
                scores = [sum(a * b for a, b in zip(q, qkv[s][c + begin:c + begin + size])) / math.sqrt(size)
                          for s in range(t + 1)]
                top = max(scores)
                weights = [math.exp(v - top) for v in scores]
                total = sum(weights)
                for k in range(2 * c + begin, 2 * c + begin + size):
                    mixed.append(sum(w * qkv[s][k] for s, w in enumerate(weights)) / total)
            hidden[t] = [a + b for a, b in zip(x, affine(mixed, *part("attn.c_proj")))]
        for t, x in enumerate(norm("ln_2")):
            inner = affine(x, *part("mlp.c_fc"))
            inner = [v / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v ** 3))) for v in inner]
            hidden[t] = [a + b for a, b in zip(hidden[t], affine(inner, *part("mlp.c_proj")))]

    def loss(self, ids):
        """Mean over the places of a window: each is asked for the next id."""
        hidden = [[a + b for a, b in zip(self.p["wte.weight"][one], self.p["wpe.weight"][t])]
                  for t, one in enumerate(ids[:-1])]
        for i in range(self.config["n_layer"]):
            self.layer(i, hidden)
        total = 0
        for x, wanted in zip(hidden, ids[1:]):
            x = layer_norm(x, self.p["ln_f.weight"], self.p["ln_f.bias"], self.config["layer_norm_epsilon"])
            logits = [sum(a * b for a, b in zip(x, row)) for row in self.p["wte.weight"]]
            top = max(logits)
            total += top + math.log(sum(math.exp(v - top) for v in logits)) - logits[wanted]
        return total / len(hidden)


def validation_loss(model, text, rows, batches, context):
    """Windows as the run's own validation takes them: evenly spaced over the last tenth."""
    n_validation = len(text) // 10
    starts = n_validation - context
    losses = []
    for window in range(rows * batches):
        at = len(text) - n_validation + window * starts // (rows * batches)
        losses.append(model.loss(text[at:at + context + 1]))
    return sum(losses) / len(losses)
