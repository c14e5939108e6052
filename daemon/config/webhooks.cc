#include "daemon/config/webhooks.h"

#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <fmt/core.h>

#include "core/files/files.h"
#include "core/ids.h"
#include "core/spec/app_spec.h"
#include "daemon/config/event_types.h"
#include "daemon/config/values.h"

namespace berth::config {
namespace {

constexpr std::size_t kMostWebhooks = 16;  ///< each has threads
constexpr std::size_t kLongestUrl = 4000;

/// An address of the web, or a reference to a secret that is one. The addresses of chats are passwords to them: complaints do not show what was given.
Result<std::string> parse_place(const std::string& text) {
  const auto strange = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; };
  const auto host = text.find("://");
  if (!text.starts_with("http://") && !text.starts_with("https://")) {
    if (host == std::string::npos && parse_reference(text)) return text;
    return fail(Errc::usage, "it is neither http:// nor https:// with a host, nor a reference to a secret that is one: file:/path, credential:NAME, env:NAME or command:/program");
  }
  if (text.size() > kLongestUrl) return fail(Errc::usage, fmt::format("it has {} bytes, {} at most are possible here", text.size(), kLongestUrl));
  if (std::ranges::any_of(text, strange)) return fail(Errc::usage, "it has a space or a control character in it");
  const std::string_view authority = std::string_view(text).substr(host + 3, text.find_first_of("/?#", host + 3) - host - 3);
  if (authority.empty()) return fail(Errc::usage, "it names no host");
  if (authority.contains('@')) return fail(Errc::usage, "it has a user or password in it; use a certificate, or an address that nobody can guess");
  return text;
}

void read_events(Section& section, Webhook& webhook) {
  const auto types = event_types();
  const auto patterns = section.strings("events");
  for (const std::string& pattern : patterns) {
    if (std::ranges::any_of(types, [&](const std::string& type) { return matches_type(pattern, type); })) {
      webhook.events.push_back(pattern);
      continue;
    }
    const auto meant = spec::nearest(pattern, types);
    section.complain("events", fmt::format("events: there is no '{}'{}", pattern,
                                           meant ? fmt::format(" (did you mean '{}'?)", *meant) : ": give types such as 'deployment.failed', 'deployment.*' or '*'"));
  }
  if (section.has("events") && patterns.empty()) section.complain("events", "events: it names none; leave it out for those that are usual, '*' is all");
  if (!section.has("events")) webhook.events = usual_event_types();
}

void read_tls(Section& section, Webhook& webhook) {
  const std::pair<const char*, fs::path*> keys[] = {
      {"ca_file", &webhook.ca_file}, {"certificate_file", &webhook.certificate_file}, {"key_file", &webhook.key_file}};
  for (const auto& [key, into] : keys) {
    section.read(key, *into, [](const std::string& text) { return parse_path(text); });
    if (section.has(key) && webhook.url.starts_with("http://")) section.complain(key, fmt::format("{} is for https:// alone", key));
  }
  if (section.has("certificate_file") != section.has("key_file"))
    section.complain(section.has("key_file") ? "key_file" : "certificate_file", "certificate_file and key_file go together: give both or none");
}

void read_webhook(Section& section, Webhook& webhook) {
  section.read("name", webhook.name, [](const std::string& text) -> Result<std::string> {
    if (is_name(text)) return text;
    return fail(Errc::usage, fmt::format("'{}' is no name for a webhook: a small letter, then small letters, digits and '-', 31 at most", text));
  });
  if (!section.has("name")) section.complain("name", "[[webhook]] has no 'name': status, metrics and its cursor need one");
  section.read("url", webhook.url, parse_place);
  if (!section.has("url")) section.complain("url", "[[webhook]] has no 'url', such as url = \"https://chat.example.org/hooks/berth\" or url = \"credential:chat-url\"");
  section.read("secret", webhook.secret, [](const std::string& text) { return parse_reference(text); });
  read_events(section, webhook);
  webhook.apps = section.strings("apps");
  for (const std::string& app : webhook.apps)
    if (!is_name(app)) section.complain("apps", fmt::format("apps: '{}' is no name of an app", app));
  if (section.has("apps") && webhook.apps.empty()) section.complain("apps", "apps: it names none; leave it out for all of them");
  section.read("format", webhook.format, [](const std::string& text) -> Result<WebhookFormat> {
    if (text == "event") return WebhookFormat::event;
    if (text == "chat") return WebhookFormat::chat;
    return fail(Errc::usage, fmt::format("'{}': the format is \"event\" or \"chat\"", text));
  });
  section.read("keep", webhook.keep, [](const std::string& text) { return parse_period(text); });
  section.read("timeout", webhook.timeout, [](const std::string& text) { return parse_interval(text); });
  section.read("proxy", webhook.proxy, [](const std::string& text) -> Result<std::optional<std::string>> {
    BERTH_TRY(std::string proxy, parse_proxy(text));
    return std::optional(std::move(proxy));
  });
  read_tls(section, webhook);
  webhook.said = section.said();
  webhook.at = section.place({});
  for (const char* key : {"url", "secret", "ca_file", "certificate_file", "key_file"})
    if (section.has(key)) webhook.keys_at.emplace(key, section.place(key));
}

}  // namespace

void read_webhooks(Document& document, std::vector<Webhook>& webhooks) {
  const std::size_t count = document.count("webhook");
  for (std::size_t i = 0; i < count; ++i) {
    Section section = document.element("webhook", i);
    Webhook webhook;
    read_webhook(section, webhook);
    if (i == kMostWebhooks) section.complain("name", fmt::format("more than {} webhooks", kMostWebhooks));
    const auto other = std::ranges::find(webhooks, webhook.name, &Webhook::name);
    if (!webhook.name.empty() && other != webhooks.end())
      section.complain("name", fmt::format("name: there are two webhooks '{}', the other one is at {}", webhook.name, other->at));
    webhooks.push_back(std::move(webhook));
  }
}

Result<void> check_webhook_files(const std::vector<Webhook>& webhooks) {
  const auto file_of = [](const std::string& reference) { return reference.starts_with("file:/") ? fs::path(reference.substr(5)) : fs::path(); };
  for (const Webhook& webhook : webhooks) {
    const std::pair<const char*, fs::path> named[] = {{"url", file_of(webhook.url)},
                                                      {"secret", file_of(webhook.secret)},
                                                      {"ca_file", webhook.ca_file},
                                                      {"certificate_file", webhook.certificate_file},
                                                      {"key_file", webhook.key_file}};
    for (const auto& [key, path] : named) {
      if (path.empty()) continue;
      if (const auto file = files::open(path, O_RDONLY); !file) return fail(Errc::usage, fmt::format("{}: [[webhook]] {}: {}: {}", webhook.keys_at.at(key), webhook.name, key, unusable(file.error())));
    }
  }
  return {};
}

}  // namespace berth::config
