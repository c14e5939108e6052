#include "daemon/ship/webhook/message.h"

#include <algorithm>

#include <boost/json/serialize.hpp>
#include <fmt/core.h>

#include "core/crypto/sha256.h"
#include "daemon/ship/event_entry.h"
#include "daemon/ship/sinks/line_text.h"
#include "daemon/ship/sinks/severity.h"

namespace berth::ship {
namespace {

constexpr std::size_t kLongestText = 2000;  ///< bytes of what people read

std::string member_of(const store::Event& event, std::string_view key) {
  const auto* value = event.data.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::int64_t number_of(const store::Event& event, std::string_view key) {
  const auto* value = event.data.if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<std::int64_t>() : 0;
}

bool is_said(const store::Event& event, std::string_view key) {
  const auto* value = event.data.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

/// What an operator named, and what it became: "web/worker.2", "web/web to 3 instances (its release says 2)", "web@v42 bad".
std::string asked_subject(const store::Event& event, const std::string& name) {
  if (std::string what = member_of(event, "what"); !what.empty()) return what;
  if (event.kind == "operator.scale") {
    const auto instances = number_of(event, "instances");
    return fmt::format("{}/{} to {} instance{} (its release says {})", event.app, member_of(event, "process"), instances, instances == 1 ? "" : "s", number_of(event, "spec_instances"));
  }
  if (event.kind == "operator.mark") return fmt::format("{} {}", name, member_of(event, "as"));
  if (event.kind == "operator.remove" && is_said(event, "purge")) return name + " with its data and logs";
  return name;
}

/// "deployment 17 of web@v42", "web/worker.2", "web@v42", "web"; empty where it is of the node.
std::string subject_of(const store::Event& event) {
  const std::string release = member_of(event, "release");
  if (std::string instance = member_of(event, "instance"); !instance.empty()) return instance;
  const std::string name = release.empty() ? event.app : event.app + "@" + release;
  const auto* id = event.data.if_contains("deployment");
  if (event.kind == "deployment.state" && id != nullptr && id->is_int64()) return fmt::format("deployment {} of {}", id->get_int64(), name);
  return asked_subject(event, name);
}

/// "edge-1 (production): deployment 17 of web@v42: failed: …", "edge-1 (production): instance.exit web/web.1: exited with 1".
std::string text_of(const store::Event& event, const Origin& origin) {
  const std::string subject = subject_of(event);
  std::string text = fmt::format("{} ({}): ", origin.node, origin.environment);
  if (event.kind == "deployment.state") text += fmt::format("{}: {}", subject, member_of(event, "state"));
  else text += subject.empty() ? event_type(event) : fmt::format("{} {}", event_type(event), subject);
  if (const std::string by = member_of(event, "by"); !by.empty()) text += " by " + by;
  const std::string name = fmt::format("{}@{}: ", event.app, member_of(event, "release"));
  for (const char* key : {"reason", "result", "note", "why"}) {
    const std::string said = member_of(event, key);
    if (!said.empty()) text += ": " + (said.starts_with(name) ? said.substr(name.size()) : said);
  }
  if (event.kind == "database.rebuilt") text += "; 'berth doctor' there says what is not known any more, and what to do";
  return std::string(cut_text(text, kLongestText));
}

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// Whether a chat may take `@` and what is before and behind it for a mention: Mattermost and Rocket.Chat that of a person or a group where a word begins, Discord
/// those of all anywhere. `web@v42` and `alice@example.org` are none.
bool may_mention(std::string_view before, std::string_view behind) {
  constexpr std::string_view kAll[] = {"all", "channel", "everyone", "here"};
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const auto begins = [&](std::string_view name) { return behind.size() >= name.size() && std::ranges::equal(behind.substr(0, name.size()), name, {}, lower); };
  return before.empty() || !is_word(before.back()) || std::ranges::any_of(kAll, begins);
}

/// Without mentions. Chats take what stands in angle brackets for mentions and links, such as `<!channel>`, and have these escapes for it; what `@` begins has none,
/// and a zero-width space behind it, which nobody sees, makes it text.
std::string escaped(std::string_view text) {
  constexpr std::string_view kZeroWidthSpace = "\xe2\x80\x8b";
  std::string safe;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '&') safe += "&amp;";
    else if (c == '<') safe += "&lt;";
    else if (c == '>') safe += "&gt;";
    else safe += c;
    if (c == '@' && may_mention(text.substr(0, at), text.substr(at + 1))) safe += kZeroWidthSpace;
  }
  return safe;
}

std::string id_of(const Entry& entry, const std::string& at) {
  const std::string all = fmt::format("{}\n{}\n{}\n{}\n{}", entry.origin->node, entry.origin->environment, entry.sequence, at, entry.text);
  return "evt_" + crypto::sha256_hex(all).substr(0, 32);
}

}  // namespace

std::string event_type(const store::Event& event) {
  if (event.kind == "deployment.state") return "deployment." + member_of(event, "state");
  if (event.kind == "job.ended") return "job." + member_of(event, "state");
  if (event.kind == "instance.exit" && was_asked_for(event)) return "instance.stopped";
  return event.kind;
}

WebhookMessage webhook_message(const Entry& entry, config::WebhookFormat format) {
  const store::Event event = event_of(entry);
  const Origin& origin = *entry.origin;
  const std::string text = text_of(event, origin);
  boost::json::object body{{"text", format == config::WebhookFormat::chat ? escaped(text) : text}};
  if (format == config::WebhookFormat::event) {
    body = {{"type", event_type(event)},
            {"timestamp", event.at},
            {"node", origin.node},
            {"environment", origin.environment},
            {"app", event.app},
            {"number", event.number},
            {"severity", to_string(entry.severity)},
            {"text", text},
            {"data", event.data}};
  }
  return {.id = id_of(entry, event.at), .body = boost::json::serialize(body)};
}

}  // namespace berth::ship
