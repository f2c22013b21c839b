"""What the peers' benchmark found: figures, JSON and tables. Pure functions, tested without any runtime."""

import math
import statistics

SWIFTLET = "swiftlet"
SWIFTLET_ON_NOISE = "swiftlet on noise"


def percentile(values, percent):
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(percent / 100 * len(ordered)) - 1))]


def milliseconds(nanoseconds):
    """{"median", "p90"} of a list of times."""
    return {"median": statistics.median(nanoseconds) / 1e6, "p90": percentile(nanoseconds, 90) / 1e6}


def geometric_mean(values):
    values = list(values)
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def row(name, threads, times):
    """One network at one thread count. `times`: {runtime: nanoseconds}, Swiftlet's among them, also those on noise."""
    found = {runtime: milliseconds(values) for runtime, values in times.items() if values}
    own, noise = found.pop(SWIFTLET, None), found.pop(SWIFTLET_ON_NOISE, None)
    return {
        "name": name, "threads": threads,
        "swiftlet_ms": own and own["median"], "swiftlet_p90_ms": own and own["p90"],
        "swiftlet_noise_ms": noise and noise["median"],
        "peers_ms": {peer: value["median"] for peer, value in found.items()},
        "peers_p90_ms": {peer: value["p90"] for peer, value in found.items()},
    }


def fastest_ratio(entry, own="swiftlet_ms"):
    """Fastest peer ÷ Swiftlet; None where one of them is missing."""
    if not entry["peers_ms"] or not entry[own]:
        return None
    return min(entry["peers_ms"].values()) / entry[own]


def geomeans(rows, own="swiftlet_ms"):
    """{"1": geometric mean of fastest peer ÷ Swiftlet over the networks, "2": …}."""
    found = {}
    for threads in sorted({entry["threads"] for entry in rows}):
        ratios = [fastest_ratio(entry, own) for entry in rows if entry["threads"] == threads]
        found[str(threads)] = geometric_mean(ratio for ratio in ratios if ratio is not None)
    return found


def chosen(every, text, what):
    """The names of `every` that the comma-separated `text` lists, in the order of `every`; all without a text."""
    if text is None:
        return list(every)
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in every]
    if unknown or not words:
        raise ValueError(f"{what}: expected some of {', '.join(every)}, found \"{', '.join(unknown) or text}\"")
    return [name for name in every if name in words]


def aligned(rows):
    """Lines of a table; the first column to the left, the others to the right."""
    widths = [max(len(line[column]) for line in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(line, widths))).rstrip()
        for line in rows]


def speed_table(rows, peers):
    """Lines: for each network and thread count the medians, and each peer ÷ Swiftlet."""
    if not rows:
        return []
    table = [["network", "threads", "Swiftlet ms", "p90", "on noise"]]
    for peer in peers:
        table[0] += [f"{peer} ms", "p90", "÷"]
    table[0].append("fastest ÷")
    for entry in rows:
        line = [
            entry["name"], str(entry["threads"]), number(entry["swiftlet_ms"]), number(entry["swiftlet_p90_ms"]),
            number(entry["swiftlet_noise_ms"])]
        for peer in peers:
            value = entry["peers_ms"].get(peer)
            ratio = value / entry["swiftlet_ms"] if value and entry["swiftlet_ms"] else None
            line += [number(value), number(entry["peers_p90_ms"].get(peer)), number(ratio)]
        table.append(line + [number(fastest_ratio(entry))])
    return aligned(table)


def start_table(starts):
    """Lines: load, first inference, resident memory over the baseline, bytes on disk. `starts`: {network: {runtime:
    {"load_ms", "first_ms", "resident_bytes", "runtime_bytes", "model_bytes"}}}."""
    table = [["network", "runtime", "load ms", "first ms", "memory MB", "runtime MB", "model MB"]]
    for network, runtimes in starts.items():
        for runtime, facts in runtimes.items():
            table.append([
                network, runtime, number(facts["load_ms"]), number(facts["first_ms"]),
                *(number(facts[key] and facts[key] / 1e6) for key in ("resident_bytes", "runtime_bytes", "model_bytes"))])
    return aligned(table) if len(table) > 1 else []


def number(value):
    if value is None:
        return "–"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def sparse_table(rows):
    """Lines of the pruned networks' table."""
    table = [["network", "pruned", "threads", "whole ms", "pruned ms", "speed ×", "whole MB", "pruned MB", "file ×"]]
    for row in rows:
        table.append([
            row["name"], row["pruned"], str(row["threads"]), number(row["whole_ms"]), number(row["pruned_ms"]),
            number(row["speedup"]), number(row["whole_bytes"] / 1e6), number(row["pruned_bytes"] / 1e6),
            number(row["file_ratio"])])
    return aligned(table)
