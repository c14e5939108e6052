#include <optional>

#include <fmt/core.h>

#include "core/io/download.h"
#include "core/io/http.h"
#include "core/io/http_if_changed.h"
#include "core/io/http_reader.h"
#include "core/io/http_text.h"
#include "core/io/least_rate.h"
#include "core/io/line.h"
#include "core/io/pace.h"
#include "core/io/patience.h"
#include "core/io/proxy.h"
#include "core/io/url.h"

namespace berth::io {
namespace {

constexpr int kMostRedirects = 5;

/// What is wanted, wherever it is found to be.
struct Wish {
  const FetchOptions& options;
  std::string unless = {};   ///< the ETag of what is here already; empty: nothing is
  bool conditional = false;  ///< 304 is an answer
};

/// How one request ended.
struct Reply {
  std::optional<std::string> elsewhere;  ///< the place to ask instead
  bool unchanged = false;
  std::string etag;
};

Result<std::string> request_for(const Url& url, const Wish& wish, const std::optional<Proxy>& proxy, bool may_know_us) {
  const FetchOptions& options = wish.options;
  HttpRequest request;
  const bool asks_proxy = proxy && !url.https;
  request.target = asks_proxy ? url.text() : url.target;
  request.headers = {{"host", url.authority()}, {"accept", "*/*"}, {"accept-encoding", "identity"}};
  if (!options.user_agent.empty()) request.headers["user-agent"] = options.user_agent;
  if (!wish.unless.empty()) request.headers["if-none-match"] = wish.unless;
  if (options.from > 0) request.headers["range"] = fmt::format("bytes={}-", options.from);
  if (may_know_us && !options.authorization.empty()) request.headers["authorization"] = options.authorization;
  if (asks_proxy && !proxy->authorization.empty()) request.headers["proxy-authorization"] = proxy->authorization;
  return request_head(request);
}

/// Whoever listens on the way of plain http would read it.
Result<void> check_may_be_told(const Url& url, const FetchOptions& options) {
  if (options.authorization.empty() || url.https || is_loopback(url.host)) return {};
  return fail(Errc::usage, fmt::format("{}: a token or password is not sent over plain http: use https", url.text()));
}

/// Reads the answer into `download`, as far as it is wanted.
Result<void> read_answer(Line& line, Download& download, LeastRate rate) {
  ResponseReader* head = nullptr;
  bool begun = false;
  const auto begin = [&]() -> Result<void> {
    if (begun) return {};
    begun = true;
    return download.begin(head->status, head->headers);
  };
  // Pieces may come with the head; those of a redirect or a refusal are not wanted.
  ResponseReader reader({}, false, [&](std::string_view piece) -> Result<void> {
    BERTH_CHECK(begin());
    return download.wants_body() ? download.take(piece) : Result<void>();
  });
  head = &reader;
  std::string buffer;
  while (!reader.done()) {
    const auto asked_at = Steady::now();
    BERTH_TRY(const std::size_t got, line.read(&buffer));
    const auto waited = Steady::now() - asked_at;
    if (got == 0) {
      // Whoever breaks off is asked again later; whoever says nonsense is not.
      if (auto ended = reader.end(); !ended) return fail(Errc::unreachable, std::move(ended.error().message));
    } else {
      BERTH_CHECK(reader.take(buffer));
      BERTH_CHECK(rate.took(got, waited));
    }
    if (!reader.head_done()) continue;
    BERTH_CHECK(begin());
    if (!download.wants_body()) return {};
  }
  return {};
}

/// Whose authority a server must prove, and what proves to it who we are.
TlsOptions tls_for(const FetchOptions& options, bool may_know_us) {
  TlsOptions tls = options.tls;
  if (!may_know_us) tls.certificate_file = tls.key_file = "";
  return tls;
}

/// Asks once.
Result<Reply> fetch_once(const Url& url, const Wish& wish, bool may_know_us, const std::function<Result<void>(std::string_view)>& sink, Patience& patience) {
  const FetchOptions& options = wish.options;
  BERTH_TRY(const auto proxy, proxy_for(url, options.proxy));
  BERTH_TRY(const std::string request, request_for(url, wish, proxy, may_know_us));
  BERTH_TRY(const auto line, open_line(url, proxy, tls_for(options, may_know_us), patience));
  BERTH_CHECK(line->write(request));
  Download download(options.from, options.most, sink, wish.conditional);
  BERTH_CHECK(read_answer(*line, download, LeastRate(options)));
  BERTH_CHECK(download.end());
  return Reply{.elsewhere = download.elsewhere(), .unchanged = download.unchanged(), .etag = download.etag()};
}

/// Asks, and follows where it is sent.
Result<Reply> fetch_wherever(const std::string& url, const Wish& wish, const std::function<Result<void>(std::string_view)>& sink, std::stop_token stop) {
  const FetchOptions& options = wish.options;
  BERTH_TRY(const Url first, parse_url(url));
  BERTH_CHECK(check_may_be_told(first, options));
  Url place = first;
  Patience patience(options, std::move(stop));
  Pace own_pace(options.bytes_per_second);
  Pace& pace = options.pace ? *options.pace : own_pace;
  // What the sink says goes back as it is; what is said here names the place.
  bool sink_failed = false;
  const std::function<Result<void>(std::string_view)> watched = [&](std::string_view piece) {
    auto taken = sink(piece);
    sink_failed = !taken;
    return taken ? pace.took(piece.size(), patience) : taken;
  };
  bool may_know_us = true;  // nobody else decides what is asked for in our name
  for (int redirects = 0; redirects <= kMostRedirects; ++redirects) {
    may_know_us = may_know_us && is_same_origin(place, first);
    auto reply = fetch_once(place, wish, may_know_us, watched, patience);
    if (!reply && sink_failed) return std::unexpected(std::move(reply.error()));
    if (!reply) return pass(std::move(reply.error()), place.text());
    if (!reply->elsewhere) return reply;
    const auto next = resolve(place, *reply->elsewhere);
    if (!next) return fail(Errc::protocol, fmt::format("{}: redirects to a place berth does not go to: {}", place.text(), next.error().message));
    if (place.https && !next->https)
      return fail(Errc::protocol, fmt::format("{}: redirects from https to plain http ({}), which is refused", place.text(), next->text()));
    place = *next;
  }
  return fail(Errc::protocol, fmt::format("{}: more than {} redirects", url, kMostRedirects));
}

}  // namespace

Result<void> http_fetch(const std::string& url, const FetchOptions& options, const std::function<Result<void>(std::string_view)>& sink,
                        std::stop_token stop) {
  BERTH_CHECK(fetch_wherever(url, {.options = options}, sink, std::move(stop)));
  return {};
}

Result<IfChanged> http_get_if_changed(const std::string& url, const FetchOptions& options, const std::string& etag, std::stop_token stop) {
  FetchOptions whole = options;
  whole.from = 0;
  std::string body;
  const std::function<Result<void>(std::string_view)> take = [&](std::string_view piece) -> Result<void> {
    body += piece;
    return {};
  };
  BERTH_TRY(Reply reply, fetch_wherever(url, {.options = whole, .unless = etag, .conditional = !etag.empty()}, take, std::move(stop)));
  return IfChanged{.unchanged = reply.unchanged, .etag = std::move(reply.etag), .body = std::move(body)};
}

}  // namespace berth::io
