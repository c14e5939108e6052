#include "daemon/ship/sinks/otlp.h"

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

constexpr std::string_view kExportPath = "/v1/logs";

/// How syslog's severities are told in OpenTelemetry's numbers ("Logs Data Model", appendix B).
int severity_number(Severity severity) {
  constexpr int kNumbers[] = {21, 19, 18, 17, 13, 10, 9, 5};
  return kNumbers[static_cast<std::size_t>(severity)];
}

void append_attribute(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  if (!out.empty()) out += ',';
  out += "{\"key\":";
  json::append_quoted(out, key);
  out += ",\"value\":{\"stringValue\":";
  json::append_quoted(out, value);
  out += "}}";
}

std::string resource_attributes(const Origin& origin) {
  std::string text;
  append_attribute(text, "service.name", program_of(origin));
  append_attribute(text, "service.version", origin.release);
  // Unique among all instances of a service, also on other nodes.
  append_attribute(text, "service.instance.id", origin.instance.empty() ? origin.node : origin.node + "/" + origin.instance);
  append_attribute(text, "deployment.environment.name", origin.environment);
  append_attribute(text, "deployment.id", origin.deployment);
  append_attribute(text, "host.name", origin.node);
  append_attribute(text, "berth.process", origin.process);
  append_attribute(text, "berth.instance", origin.instance);
  for (const auto& [name, value] : origin.labels) append_attribute(text, "berth.label." + name, value);
  return text;
}

std::string record_attributes(const Origin& origin) {
  std::string text;
  append_attribute(text, origin.stream.starts_with("std") ? "log.iostream" : "berth.stream", origin.stream);
  return text;
}

void append_record(std::string& out, const Entry& entry, std::string_view attributes, std::string_view observed) {
  out += fmt::format("{{\"timeUnixNano\":\"{}\",\"observedTimeUnixNano\":\"{}\",\"severityNumber\":{},\"severityText\":\"{}\",\"body\":{{\"stringValue\":",
                     pushed_time(entry), observed, severity_number(entry.severity), to_string(entry.severity));
  json::append_quoted(out, entry.text);
  out += fmt::format("}},\"attributes\":[{}{}{{\"key\":\"berth.sequence\",\"value\":{{\"intValue\":\"{}\"}}}}]}}", attributes, attributes.empty() ? "" : ",",
                     entry.sequence);
}

}  // namespace

void otlp_export(std::span<const Entry> batch, logs::Time observed, PushBody& body) {
  const std::string observed_text = std::to_string(observed.time_since_epoch().count());
  std::vector<std::vector<const Entry*>> resources;  // by origin, in the order in which they come
  std::map<const Origin*, std::size_t> places;
  for (const Entry& entry : batch) {
    const auto [place, is_new] = places.emplace(entry.origin.get(), resources.size());
    if (is_new) resources.emplace_back();
    resources[place->second].push_back(&entry);
  }
  std::string& out = body.text();
  out += "{\"resourceLogs\":[";
  for (const auto& entries : resources) {
    const Origin& origin = *entries.front()->origin;
    const std::string attributes = record_attributes(origin);
    if (&entries != &resources.front()) out += ',';
    out += "{\"resource\":{\"attributes\":[";
    out += resource_attributes(origin);
    out += "]},\"scopeLogs\":[{\"scope\":{\"name\":\"berth\",\"version\":\"" BERTH_VERSION "\"},\"logRecords\":[";
    for (const Entry* entry : entries) {
      if (entry != entries.front()) out += ',';
      append_record(out, *entry, attributes, observed_text);
      body.pause();
    }
    out += "]}]}";
  }
  out += "]}";
}

OtlpSettings parse_otlp(config::Section& section) {
  OtlpSettings settings;
  settings.access = parse_http(section, kExportPath, "https://collector.example.org:4318");
  return settings;
}

Result<std::unique_ptr<Courier>> make_otlp_courier(OtlpSettings settings, secrets::Sources sources) {
  HttpProtocol protocol;
  protocol.encode = [](std::span<const Entry> batch, PushBody& body) {
    otlp_export(batch, std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()), body);
  };
  protocol.judge = judge_export;
  return make_http_courier(std::move(settings.access), std::move(sources), std::move(protocol));
}

Result<std::unique_ptr<Sink>> make_otlp_sink(OtlpSettings settings, secrets::Sources sources) {
  std::string name = settings.name;
  const BatchLimits limits = settings.limits;
  BERTH_TRY(auto courier, make_otlp_courier(std::move(settings), std::move(sources)));
  return make_threaded_sink(std::move(name), limits, std::move(courier));
}

}  // namespace berth::ship
