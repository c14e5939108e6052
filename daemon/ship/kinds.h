#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/io/loop.h"
#include "daemon/config/config.h"
#include "daemon/secrets/reference.h"
#include "daemon/ship/sink.h"
#include "daemon/ship/sinks/line_rules.h"
#include "daemon/store/store.h"

namespace berth::ship {

/// The kinds of sinks that this berthd has, for `config::parse`.
const std::vector<config::SinkKind>& sink_kinds();

/// What sinks are made with.
struct SinkMakings {
  io::Loop& loop;
  const secrets::Sources& secret_sources;
};

/// Makes the sink of a `[[sink]]`. Fails as its kind says; cheap, and without waiting for anybody.
Result<std::unique_ptr<Sink>> make_sink(const SinkMakings& with, const config::Sink& said);

/// Whether the files and groups that it names are there and can be used, as far as that is seen without changing anything. Fails with `Errc::usage`.
Result<void> check_sink(const config::Sink& said);

/// The rules that it has for lines.
std::shared_ptr<const LineRules> line_rules_of(const config::Sink& said);

/// The kind of an event that `berth webhook test` makes, for the webhook alone that its `webhook` names.
inline constexpr const char* kWebhookTest = "operator.webhook_test";

/// A webhook as a sink of events, which comes one at a time and at once.
config::Sink as_sink(const config::Webhook& webhook);
std::vector<config::Sink> as_sinks(const std::vector<config::Webhook>& webhooks);

/// Which events it wants; null: all.
std::function<bool(const store::Event&)> wanted_events_of(const config::Sink& said);

}  // namespace berth::ship
