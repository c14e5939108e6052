#include <algorithm>

#include <fmt/core.h>

#include "core/spec/rules.h"
#include "core/spec/words.h"

namespace berth::spec {
namespace {

constexpr std::size_t kLongestPath = 2048;
constexpr std::size_t kLongestService = 256;
constexpr int kMostThreshold = 1000;
constexpr milliseconds kShortestPeriod{10};

/// A field name of HTTP (RFC 9110, 5.6.2: a token).
bool is_field_name(std::string_view text) {
  constexpr std::string_view kAlso = "!#$%&'*+-.^_`|~";
  const auto good = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kAlso.find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, good);
}

void check_http(const Probe& probe, const Complaints& complaints) {
  check_http_path(probe.path, complaints, "http");
  if (probe.lowest < 100 || probe.highest > 999 || probe.lowest > probe.highest)
    complaints.add("status", fmt::format("{} is no range from a lower to a higher HTTP status", statuses(probe)));
  if (probe.headers.size() > 32) complaints.add("headers", "has more than 32 fields");
  for (const auto& [name, value] : probe.headers)
    if (!is_field_name(name) || !is_plain(value) || value.size() > 4096) complaints.below("headers").add(name, "is no HTTP field");
}

void check_probe(const std::string& name, const Process& process, const Probe& probe, const Complaints& all) {
  const Complaints complaints = all.below(name);
  const std::string kind(kProbeKinds[static_cast<std::size_t>(probe.kind)]);
  if (probe.kind == ProbeKind::exec) check_command(probe.command, complaints, kind);
  if (probe.kind == ProbeKind::http) check_http(probe, complaints);
  if (!is_plain(probe.service) || probe.service.size() > kLongestService)
    complaints.below("grpc").add("service", fmt::format("must be a name such as \"example.Store\", of at most {} bytes", kLongestService));
  const bool asks_a_port = probe.kind != ProbeKind::exec && probe.kind != ProbeKind::notify;
  if (!probe.port.empty() && !asks_a_port) complaints.add("port", "goes with http, tcp and grpc only");
  else if (!probe.port.empty() && !has_port(process, probe.port)) complaints.add("port", fmt::format("names '{}', which is no port of the process", probe.port));
  else if (asks_a_port && probe.port.empty() && process.routing == Routing::none && process.private_ports.empty())
    complaints.add(kind, "asks the process at its port, but it has none: add 'port' or 'socket' to it, or probe by 'exec'");
  else if (asks_a_port && probe.port.empty() && main_port(process).empty())
    complaints.add(kind, "asks the process at its port, but it has several: say which one by port = \"name\"");
  if (probe.period < kShortestPeriod) complaints.add("period", fmt::format("must be {} or more", to_string(kShortestPeriod)));
  if (probe.timeout < milliseconds(1)) complaints.add("timeout", "must be 1ms or more");
  const auto check_threshold = [&](const char* key, int threshold) {
    if (threshold < 1 || threshold > kMostThreshold) complaints.add(key, fmt::format("must be a number from 1 to {}", kMostThreshold));
  };
  check_threshold("success_threshold", probe.success_threshold);
  check_threshold("failure_threshold", probe.failure_threshold);
  if (name != "readiness" && probe.success_threshold > 1) complaints.add("success_threshold", "must be 1, since only readiness can come back");
}

}  // namespace

void check_http_path(const std::string& path, const Complaints& complaints, const std::string& key) {
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  if (!path.starts_with('/') || path.size() > kLongestPath || !std::ranges::all_of(path, printable))
    complaints.add(key, fmt::format("must be a path such as \"/healthz\", without spaces, of at most {} characters", kLongestPath));
}

void check_probes(const Process& process, const Complaints& complaints) {
  if (process.startup) check_probe("startup", process, *process.startup, complaints);
  if (process.readiness) check_probe("readiness", process, *process.readiness, complaints);
  if (process.liveness) check_probe("liveness", process, *process.liveness, complaints);
}

}  // namespace berth::spec
