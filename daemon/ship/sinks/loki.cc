#include "daemon/ship/sinks/loki.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "core/json/json.h"
#include "daemon/ship/sinks/http_courier.h"
#include "daemon/ship/sinks/origin_text.h"
#include "daemon/ship/sinks/push_time.h"
#include "daemon/ship/sinks/severity.h"

namespace berth::ship {
namespace {

constexpr std::size_t kMostLokiLabels = 15;  ///< of a stream, as Loki is configured unless it is told otherwise
constexpr std::string_view kPushPath = "/loki/api/v1/push";

/// `[a-zA-Z_][a-zA-Z0-9_]*`.
std::string loki_name(std::string_view label) {
  std::string name(label);
  std::ranges::replace_if(name, [](char c) { return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')); }, '_');
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) name.insert(0, 1, '_');
  return name;
}

/// An object of JSON, member by member; a name counts once.
class Members {
 public:
  void add(std::string_view name, std::string_view value) {
    if (value.empty() || std::ranges::find(names_, name) != names_.end()) return;
    names_.emplace_back(name);
    text_ += text_.empty() ? '{' : ',';
    json::append_quoted(text_, name);
    text_ += ':';
    json::append_quoted(text_, value);
  }
  std::size_t count() const { return names_.size(); }
  std::string text() && { return text_.empty() ? "{}" : std::move(text_) + "}"; }

 private:
  std::vector<std::string> names_;
  std::string text_;
};

/// What all entries of an origin have: the labels of their stream, and the metadata that is not in them, both without their end.
struct LokiOrigin {
  std::string labels, metadata;
};

std::string without_end(Members members) {
  std::string text = std::move(members).text();
  text.back() = text.size() > 2 ? ',' : ' ';
  return text;
}

LokiOrigin loki_origin(const Origin& origin, bool has_level_as_label) {
  Members labels, metadata;
  labels.add("app", program_of(origin));
  labels.add("environment", origin.environment);
  labels.add("process", origin.process);
  labels.add("node", origin.node);
  labels.add("stream", origin.stream);
  // Sequence numbers, which tell equal lines apart, are those of an instance. Events name instances of any release, and have numbers of their own.
  const bool is_of_instance = origin.stream.starts_with("std");
  if (is_of_instance) labels.add("instance", origin.instance);
  metadata.add("release", origin.release);
  if (!is_of_instance) metadata.add("instance", origin.instance);
  metadata.add("deployment", origin.deployment);
  const std::size_t most = kMostLokiLabels - (has_level_as_label ? 1 : 0);
  for (const auto& [name, value] : origin.labels) {
    const bool has_room = labels.count() < most;
    if (name == "level" && (has_level_as_label || !has_room)) continue;  // the entry's own is there
    (has_room ? labels : metadata).add(loki_name(name), value);
  }
  return {.labels = without_end(std::move(labels)), .metadata = without_end(std::move(metadata))};
}

/// The text with what would be metadata: as a member of a text that is an object, else behind it.
std::string text_with(const std::string& text, std::string members) {
  if (!text.starts_with('{') || !text.ends_with('}')) return fmt::format("{} berth={}", text, members);
  const bool is_empty = text.find_first_not_of(" \t\r\n", 1) == text.size() - 1;
  return fmt::format("{}{}\"berth\":{}}}", std::string_view(text).substr(0, text.size() - 1), is_empty ? "" : ",", members);
}

/// A Loki without structured metadata answers that to every entry: it lies in no entry, and ends when it is set up otherwise, or the sink is.
Verdict judge_push(const io::HttpAnswer& answer, logs::Time now) {
  Verdict verdict = judge_status(answer, now);
  if (verdict.kind != Verdict::Kind::refused || answer.body.find("allow_structured_metadata") == std::string::npos) return verdict;
  verdict.kind = Verdict::Kind::later;
  verdict.reason += ": allow it there, or set metadata = false for this sink";
  return verdict;
}

}  // namespace

void loki_push(std::span<const Entry> batch, bool has_metadata, PushBody& body) {
  std::map<const Origin*, LokiOrigin> origins;
  // By labels, without their end; the entries of a stream are written once it is known which they are.
  std::map<std::string, std::vector<std::pair<const Entry*, const LokiOrigin*>>> streams;
  const Origin* last = nullptr;
  const LokiOrigin* of_last = nullptr;
  std::vector<std::pair<const Entry*, const LokiOrigin*>>* stream = nullptr;
  for (const Entry& entry : batch) {
    if (entry.origin.get() != last || stream == nullptr) {
      last = entry.origin.get();
      auto place = origins.find(last);
      if (place == origins.end()) place = origins.emplace(last, loki_origin(*last, !has_metadata)).first;
      of_last = &place->second;
      stream = has_metadata ? &streams[of_last->labels] : nullptr;
    }
    auto& its_stream = has_metadata ? *stream : streams[fmt::format("{}\"level\":\"{}\",", of_last->labels, to_string(entry.severity))];
    its_stream.emplace_back(&entry, of_last);
  }
  std::string& out = body.text();
  out += "{\"streams\":[";
  for (bool is_first_stream = true; const auto& [labels, entries] : streams) {
    out += fmt::format("{}{{\"stream\":{}}},\"values\":[", std::exchange(is_first_stream, false) ? "" : ",", std::string_view(labels).substr(0, labels.size() - 1));
    for (bool is_first = true; const auto& [entry, origin] : entries) {
      out += fmt::format("{}[\"{}\",", std::exchange(is_first, false) ? "" : ",", pushed_time(*entry));
      if (has_metadata) {
        json::append_quoted(out, entry->text);
        out += fmt::format(",{}\"sequence\":\"{}\",\"level\":\"{}\"}}]", origin->metadata, entry->sequence, to_string(entry->severity));
      } else {
        json::append_quoted(out, text_with(entry->text, fmt::format("{}\"sequence\":\"{}\"}}", origin->metadata, entry->sequence)));
        out += ']';
      }
      body.pause();
    }
    out += "]}";
  }
  out += "]}";
}

LokiSettings parse_loki(config::Section& section) {
  LokiSettings settings;
  settings.access = parse_http(section, kPushPath, "https://loki.example.org");
  settings.tenant = section.string("tenant", {});
  const bool plain = std::ranges::all_of(settings.tenant, [](char c) { return c > ' ' && c <= '~'; });
  if (!plain || settings.tenant.size() > 150) section.complain("tenant", "tenant: it is a word of at most 150 printable characters");
  settings.has_metadata = section.truth("metadata", settings.has_metadata);
  return settings;
}

Result<std::unique_ptr<Courier>> make_loki_courier(LokiSettings settings, secrets::Sources sources) {
  HttpProtocol protocol{.encode = [has_metadata = settings.has_metadata](std::span<const Entry> batch, PushBody& body) { loki_push(batch, has_metadata, body); },
                        .judge = [](const io::HttpAnswer& answer, std::size_t, logs::Time now) { return judge_push(answer, now); }};
  if (!settings.tenant.empty()) protocol.headers["x-scope-orgid"] = settings.tenant;
  return make_http_courier(std::move(settings.access), std::move(sources), std::move(protocol));
}

Result<std::unique_ptr<Sink>> make_loki_sink(LokiSettings settings, secrets::Sources sources) {
  std::string name = settings.name;
  const BatchLimits limits = settings.limits;
  BERTH_TRY(auto courier, make_loki_courier(std::move(settings), std::move(sources)));
  return make_threaded_sink(std::move(name), limits, std::move(courier));
}

}  // namespace berth::ship
