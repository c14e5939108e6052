#include "daemon/ship/sinks/loki.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "daemon/ship/sinks/http_courier.h"
#include "daemon/ship/sinks/line_text.h"
#include "daemon/ship/sinks/origin_text.h"
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
    append_json(text_, name);
    text_ += ':';
    append_json(text_, value);
  }
  std::size_t count() const { return names_.size(); }
  std::string text() && { return text_.empty() ? "{}" : std::move(text_) + "}"; }

 private:
  std::vector<std::string> names_;
  std::string text_;
};

/// What all entries of an origin have: the labels of their stream, and the metadata that is not in them, without its end.
struct LokiOrigin {
  std::string labels, metadata;
};

LokiOrigin loki_origin(const Origin& origin) {
  Members labels, metadata;
  labels.add("app", program_of(origin));
  labels.add("environment", origin.environment);
  labels.add("process", origin.process);
  labels.add("node", origin.node);
  labels.add("stream", origin.stream);
  metadata.add("release", origin.release);
  metadata.add("instance", origin.instance);
  metadata.add("deployment", origin.deployment);
  for (const auto& [name, value] : origin.labels) (labels.count() < kMostLokiLabels ? labels : metadata).add(loki_name(name), value);
  std::string text = std::move(metadata).text();
  text.back() = text.size() > 2 ? ',' : ' ';
  return {.labels = std::move(labels).text(), .metadata = std::move(text)};
}

}  // namespace

std::string loki_push(std::span<const Entry> batch) {
  std::map<const Origin*, LokiOrigin> origins;
  std::map<std::string, std::string> streams;  // by labels
  const Origin* last = nullptr;
  const LokiOrigin* of_last = nullptr;
  std::string* values = nullptr;
  for (const Entry& entry : batch) {
    if (entry.origin.get() != last || values == nullptr) {
      last = entry.origin.get();
      auto place = origins.find(last);
      if (place == origins.end()) place = origins.emplace(last, loki_origin(*last)).first;
      of_last = &place->second;
      values = &streams[of_last->labels];
    }
    *values += fmt::format("{}[\"{}\",", values->empty() ? "" : ",", entry.time.time_since_epoch().count());
    append_json(*values, entry.text);
    *values += fmt::format(",{}\"sequence\":\"{}\",\"level\":\"{}\"}}]", of_last->metadata, entry.sequence, to_string(entry.severity));
  }
  std::string body = "{\"streams\":[";
  for (bool first = true; const auto& [labels, entries] : streams) {
    body += fmt::format("{}{{\"stream\":{},\"values\":[", std::exchange(first, false) ? "" : ",", labels);
    body += entries;
    body += "]}";
  }
  return body + "]}";
}

LokiSettings parse_loki(config::Section& section) {
  LokiSettings settings;
  settings.access = parse_http(section, kPushPath, "https://loki.example.org");
  settings.tenant = section.string("tenant", {});
  const bool plain = std::ranges::all_of(settings.tenant, [](char c) { return c > ' ' && c <= '~'; });
  if (!plain || settings.tenant.size() > 150) section.complain("tenant", "tenant: it is a word of at most 150 printable characters");
  return settings;
}

Result<std::unique_ptr<Courier>> make_loki_courier(LokiSettings settings, secrets::Sources sources) {
  HttpProtocol protocol{.encode = loki_push, .judge = [](const io::HttpAnswer& answer, std::size_t, logs::Time now) { return judge_status(answer, now); }};
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
