#include "daemon/ship/kinds.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "daemon/config/event_types.h"
#include "daemon/ship/file_sink.h"
#include "daemon/ship/sinks/journald.h"
#include "daemon/ship/sinks/loki.h"
#include "daemon/ship/sinks/otlp.h"
#include "daemon/ship/sinks/syslog.h"
#include "daemon/ship/webhook/courier.h"
#include "daemon/ship/webhook/message.h"

namespace berth::ship {
namespace {

using Made = Result<std::unique_ptr<Sink>>;

/// What a `[[sink]]` says beside what all kinds have.
struct SinkSays {
  std::any kind;  ///< its kind's settings
  std::shared_ptr<const LineRules> rules;
};

/// A kind: how its keys are read, and how a sink is made of them.
struct Kind {
  const char* name;
  std::any (*read)(config::Section& section);
  Made (*make)(const SinkMakings& with, const std::string& sink, const std::any& settings);
  Result<void> (*check)(const std::any& settings) = [](const std::any&) { return Result<void>(); };  ///< what only writing would tell
};

/// The settings that `read` gave, of the sink of that name.
template <class Settings>
Settings named(const std::any& settings, const std::string& sink) {
  Settings own = std::any_cast<const Settings&>(settings);
  own.name = sink;
  return own;
}

constexpr const char* kWebhook = "webhook";

/// A new kind is a line here.
constexpr Kind kKinds[] = {
    {"file", [](config::Section& section) { return std::any(parse_file(section)); },
     [](const SinkMakings&, const std::string& sink, const std::any& settings) -> Made { return make_file_sink(named<FileSettings>(settings, sink)); },
     [](const std::any& settings) { return check_file(std::any_cast<const FileSettings&>(settings)); }},
    {"syslog", [](config::Section& section) { return std::any(parse_syslog(section)); },
     [](const SinkMakings&, const std::string& sink, const std::any& settings) -> Made { return make_syslog_sink(named<SyslogSettings>(settings, sink)); }},
    {"journald", [](config::Section& section) { return std::any(parse_journald(section)); },
     [](const SinkMakings&, const std::string& sink, const std::any& settings) -> Made { return make_journald_sink(named<JournaldSettings>(settings, sink)); }},
    {"loki", [](config::Section& section) { return std::any(parse_loki(section)); },
     [](const SinkMakings& with, const std::string& sink, const std::any& settings) -> Made {
       return make_loki_sink(named<LokiSettings>(settings, sink), with.secret_sources);
     },
     [](const std::any& settings) { return check_identity(std::any_cast<const LokiSettings&>(settings).access); }},
    {"otlp", [](config::Section& section) { return std::any(parse_otlp(section)); },
     [](const SinkMakings& with, const std::string& sink, const std::any& settings) -> Made {
       return make_otlp_sink(named<OtlpSettings>(settings, sink), with.secret_sources);
     },
     [](const std::any& settings) { return check_identity(std::any_cast<const OtlpSettings&>(settings).access); }},
};

std::any read_sink(const Kind& kind, config::Section& section) {
  SinkSays says{.kind = kind.read(section), .rules = {}};
  says.rules = std::make_shared<const LineRules>(parse_line_rules(section));
  return says;
}

}  // namespace

const std::vector<config::SinkKind>& sink_kinds() {
  static const std::vector<config::SinkKind> kinds = [] {
    std::vector<config::SinkKind> all;
    for (const Kind& kind : kKinds) all.push_back({kind.name, [&kind](config::Section& section) { return read_sink(kind, section); }});
    return all;
  }();
  return kinds;
}

Made make_sink(const SinkMakings& with, const config::Sink& said) {
  if (said.kind == kWebhook) return make_webhook_sink(std::any_cast<const config::Webhook&>(std::any_cast<const SinkSays&>(said.settings).kind), with.secret_sources);
  const auto* kind = std::ranges::find_if(kKinds, [&](const Kind& one) { return one.name == said.kind; });
  if (kind == std::end(kKinds)) return fail(Errc::usage, fmt::format("log sink {}: there is no kind '{}'", said.name, said.kind));
  return kind->make(with, said.name, std::any_cast<const SinkSays&>(said.settings).kind);
}

Result<void> check_sink(const config::Sink& said) {
  const auto* kind = std::ranges::find_if(kKinds, [&](const Kind& one) { return one.name == said.kind; });
  return kind == std::end(kKinds) ? Result<void>() : kind->check(std::any_cast<const SinkSays&>(said.settings).kind);
}

std::shared_ptr<const LineRules> line_rules_of(const config::Sink& said) { return std::any_cast<const SinkSays&>(said.settings).rules; }

config::Sink as_sink(const config::Webhook& webhook) {
  config::Sink sink{.name = webhook.name, .kind = kWebhook, .apps = webhook.apps, .events = true, .batch_lines = 1, .batch_wait = std::chrono::milliseconds(0), .said = webhook.said, .at = webhook.at};
  sink.settings = SinkSays{.kind = webhook, .rules = std::make_shared<const LineRules>()};
  return sink;
}

std::vector<config::Sink> as_sinks(const std::vector<config::Webhook>& webhooks) {
  std::vector<config::Sink> sinks;
  for (const config::Webhook& webhook : webhooks) sinks.push_back(as_sink(webhook));
  return sinks;
}

std::function<bool(const store::Event&)> wanted_events_of(const config::Sink& said) {
  if (said.kind != kWebhook) return {};
  return [name = said.name, patterns = std::any_cast<const config::Webhook&>(std::any_cast<const SinkSays&>(said.settings).kind).events](const store::Event& event) {
    const std::string type = event_type(event);
    if (type == kWebhookTest) {
      const auto* only = event.data.if_contains(kWebhook);
      return only != nullptr && only->is_string() && only->get_string() == name;
    }
    return std::ranges::any_of(patterns, [&](const std::string& pattern) { return config::matches_type(pattern, type); });
  };
}

}  // namespace berth::ship
