#include "daemon/ship/sinks/http_courier.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/core.h>

#include "core/io/http_client.h"
#include "core/io/proxy.h"
#include "core/io/url.h"
#include "daemon/ship/sinks/tls_files.h"

namespace berth::ship {
namespace {

io::ClientOptions client_options(const HttpAccess& access) {
  const auto proxies = access.proxy ? io::ProxyOptions{.for_http = *access.proxy, .for_https = *access.proxy} : io::proxies_of_environment();
  return {.tls = access.tls, .proxy = proxies, .connect_timeout = std::min(access.timeout, std::chrono::milliseconds(10'000)), .total_timeout = access.timeout};
}

class HttpCourier final : public Courier {
 public:
  HttpCourier(io::Url url, const HttpAccess& access, secrets::Sources sources, HttpProtocol protocol)
      : protocol_(std::move(protocol)), compress_(access.compress), identity_(identity_of(access, std::move(sources))), client_(std::move(url), client_options(access)) {}

  Delivery deliver(std::span<const Entry> batch, std::stop_token stop) override {
    std::vector<std::span<const Entry>> parts{batch};  // the next one last
    std::size_t refused = 0;
    std::string reason;
    for (int requests = 0; !parts.empty(); ++requests) {
      const std::span<const Entry> part = parts.back();
      parts.pop_back();
      if (part.empty()) continue;
      const auto verdict = ask(part, stop);
      if (!verdict) return later(fmt::format("{}: {}", client_.url().text(), verdict.error().message));
      if (!verdict->reason.empty()) reason = fmt::format("{}: {}", client_.url().text(), verdict->reason);
      if (verdict->kind == Verdict::Kind::later) return later(std::move(reason), verdict->wait);
      if (verdict->kind == Verdict::Kind::taken || part.size() == 1 || requests >= kMostRequests) {
        refused += verdict->kind == Verdict::Kind::taken ? verdict->refused : part.size();
        continue;
      }
      parts.push_back(part.subspan(part.size() / 2));
      parts.push_back(part.first(part.size() / 2));
    }
    return taken(refused, refused == 0 ? "" : std::move(reason));
  }

 private:
  Result<Verdict> ask(std::span<const Entry> part, const std::stop_token& stop) {
    io::Headers headers = protocol_.headers;
    headers["content-type"] = "application/json";
    headers["accept"] = "application/json";
    if (identity_ && !who_) {
      BERTH_TRY(who_, identity_());
    }
    if (who_) headers[who_->name] = who_->value.view();
    if (compress_) headers["content-encoding"] = "gzip";
    BERTH_TRY(std::string body, body_of(part));
    BERTH_TRY(const io::HttpAnswer answer, client_.post(std::move(headers), std::move(body), stop));
    const logs::Time now = std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
    Verdict verdict = protocol_.judge(answer, part.size(), now);
    if (verdict.is_denied) who_.reset();  // it may have been changed meanwhile
    return verdict;
  }

  Result<std::string> body_of(std::span<const Entry> part) const {
    PushBody body(compress_);
    protocol_.encode(part, body);
    return body.finish();
  }

  HttpProtocol protocol_;
  bool compress_;
  std::function<Result<SecretHeader>()> identity_;
  std::optional<SecretHeader> who_;
  io::HttpClient client_;
};

}  // namespace

Result<std::unique_ptr<Courier>> make_http_courier(HttpAccess access, secrets::Sources sources, HttpProtocol protocol) {
  BERTH_TRY(io::Url url, io::parse_url(access.url));
  BERTH_CHECK(check_tls(access.tls));
  return std::make_unique<HttpCourier>(std::move(url), access, std::move(sources), std::move(protocol));
}

}  // namespace berth::ship
