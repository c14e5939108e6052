#include "daemon/ship/webhook/courier.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "core/io/http_client.h"
#include "core/io/proxy.h"
#include "core/io/url.h"
#include "daemon/secrets/known_secrets.h"
#include "daemon/ship/sinks/http_answers.h"
#include "daemon/ship/sinks/tls_files.h"
#include "daemon/ship/webhook/message.h"
#include "daemon/ship/webhook/signature.h"

namespace berth::ship {
namespace {

constexpr std::chrono::milliseconds kConnectTimeout{10'000};
constexpr std::size_t kMostAnswer = 4u << 10;  ///< bytes of an answer that are looked at
constexpr std::size_t kShortestPiece = 8;      ///< bytes of a path's pieces that are nowhere shown; shorter ones are no passwords

bool is_address(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

logs::Time wall_time() { return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()); }

/// The address. What is wrong with it is told without it.
Result<io::Url> address_of(const config::Webhook& webhook, const secrets::Sources& sources) {
  std::string text = webhook.url;
  if (!is_address(text)) {
    auto secret = secrets::resolve(text, sources);
    if (!secret) return pass(std::move(secret.error()), "url");
    text = secret->view();
  }
  auto url = io::parse_url(text);
  if (!url) return fail(Errc::usage, "url: it is no address of the web with http:// or https://");
  return url;
}

/// Nothing where requests are not signed.
Result<std::optional<crypto::Secret>> key_of(const config::Webhook& webhook, const secrets::Sources& sources) {
  if (webhook.secret.empty()) return std::nullopt;
  auto secret = secrets::resolve(webhook.secret, sources);
  if (!secret) return pass(std::move(secret.error()), "secret");
  auto key = signing_key(secret->view());
  if (!key) return pass(std::move(key.error()), "secret");
  return std::optional(std::move(*key));
}

io::TlsOptions tls_of(const config::Webhook& webhook) {
  return {.ca_file = webhook.ca_file, .certificate_file = webhook.certificate_file, .key_file = webhook.key_file};
}

io::ClientOptions client_options(const config::Webhook& webhook) {
  const auto proxies = webhook.proxy ? io::ProxyOptions{.for_http = *webhook.proxy, .for_https = *webhook.proxy} : io::proxies_of_environment();
  return {.tls = tls_of(webhook), .proxy = proxies, .connect_timeout = std::min(webhook.timeout, kConnectTimeout), .total_timeout = webhook.timeout, .most_answer = kMostAnswer};
}

std::string host_of(const io::Url& url) { return (url.https ? "https://" : "http://") + url.authority(); }

/// Servers like to say what they were asked for.
std::string without_path(std::string text, const io::Url& url) {
  secrets::KnownSecrets path;
  path.add(url.target);
  for (std::string_view rest = url.target; !rest.empty();) {
    const auto end = std::min(rest.find_first_of("/?&="), rest.size());
    if (end >= kShortestPiece) path.add(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  path.redact(text);
  return text;
}

class WebhookCourier final : public Courier {
 public:
  WebhookCourier(config::Webhook webhook, secrets::Sources sources) : webhook_(std::move(webhook)), sources_(std::move(sources)) {}

  Delivery deliver(std::span<const Entry> batch, std::stop_token stop) override {
    const Entry& entry = batch.front();
    if (std::exchange(event_, entry.sequence) != entry.sequence) tries_ = 0;
    if (entry.time != logs::Time{} && wall_time() - entry.time > webhook_.keep) return expired();
    auto url = address_of(webhook_, sources_);
    if (!url) return later(std::move(url.error().message));
    auto key = key_of(webhook_, sources_);
    if (!key) return later(std::move(key.error().message));
    if (!client_ || client_->url().text() != url->text()) client_.emplace(*url, client_options(webhook_));
    const auto answer = post(entry, *key, stop);
    if (!answer) return later(fmt::format("{}: {}", host_of(*url), without_path(answer.error().message, *url)));
    return judge(*answer, *url);
  }

 private:
  Result<io::HttpAnswer> post(const Entry& entry, const std::optional<crypto::Secret>& key, const std::stop_token& stop) {
    WebhookMessage message = webhook_message(entry, webhook_.format);
    const std::int64_t timestamp = std::chrono::duration_cast<std::chrono::seconds>(wall_time().time_since_epoch()).count();
    io::Headers headers{{"content-type", "application/json"},
                        {"user-agent", "berthd/" BERTH_VERSION},
                        {"webhook-id", message.id},
                        {"webhook-timestamp", std::to_string(timestamp)}};
    if (key) headers["webhook-signature"] = webhook_signature(*key, message.id, timestamp, message.body);
    return client_->post(std::move(headers), std::move(message.body), stop);
  }

  Delivery expired() const {
    Delivery delivery = taken(1, "it did not take them for as long as they are kept ('keep')");
    delivery.untried = true;
    return delivery;
  }

  Delivery judge(const io::HttpAnswer& answer, const io::Url& url) {
    const Verdict verdict = judge_status(answer, wall_time());
    if (verdict.kind == Verdict::Kind::taken) return taken();
    std::string reason = fmt::format("{}: {}", host_of(url), without_path(verdict.reason, url));
    if (answer.status >= 300 && answer.status <= 399) reason += " (redirects are not followed: give the address that it leads to)";
    const bool is_final = answer.status == 410 || (verdict.kind == Verdict::Kind::refused && ++tries_ >= kMostTries);
    return is_final ? taken(1, std::move(reason)) : later(std::move(reason), verdict.wait);
  }

  config::Webhook webhook_;
  secrets::Sources sources_;
  std::optional<io::HttpClient> client_;
  std::uint64_t event_ = 0;  ///< the one that was sent last
  int tries_ = 0;            ///< times that it was refused for what it is
};

}  // namespace

Result<std::unique_ptr<Courier>> make_webhook_courier(config::Webhook webhook, secrets::Sources sources) {
  BERTH_CHECK(check_tls(tls_of(webhook)));
  // What is wrong is told now and not with the first event, but for what a command says, which takes a while.
  const auto is_quick = [](const std::string& reference) { return !reference.starts_with("command:"); };
  if (is_quick(webhook.url)) BERTH_CHECK(address_of(webhook, sources));
  if (is_quick(webhook.secret)) BERTH_CHECK(key_of(webhook, sources));
  return std::make_unique<WebhookCourier>(std::move(webhook), std::move(sources));
}

Result<std::unique_ptr<Sink>> make_webhook_sink(config::Webhook webhook, secrets::Sources sources) {
  const std::string name = webhook.name;
  BERTH_TRY(auto courier, make_webhook_courier(std::move(webhook), std::move(sources)));
  return make_threaded_sink(name, {.entries = 1}, std::move(courier));
}

}  // namespace berth::ship
