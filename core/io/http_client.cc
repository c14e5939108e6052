#include "core/io/http_client.h"

#include <algorithm>
#include <utility>

#include "core/io/http_reader.h"
#include "core/io/http_text.h"
#include "core/io/line_end.h"
#include "core/io/proxy.h"

namespace berth::io {
namespace {

constexpr std::uint64_t kLongestAnswer = 16u << 20;  ///< bytes; an answer that goes on and on is none

FetchOptions as_fetch_options(const ClientOptions& options) {
  return {.connect_timeout = options.connect_timeout, .stall_timeout = options.total_timeout, .total_timeout = options.total_timeout};
}

/// Whether the connection can take another request after that answer.
bool is_kept(const ResponseReader& reader) {
  const auto connection = reader.headers.find("connection");
  if (connection != reader.headers.end() && lower_case(connection->second).find("close") != std::string::npos) return false;
  const bool has_end = reader.headers.contains("content-length") || reader.headers.contains("transfer-encoding");
  return has_end || reader.status == 204 || reader.status == 304;
}

}  // namespace

HttpClient::HttpClient(Url url, ClientOptions options)
    : url_(std::move(url)), options_(std::move(options)), patience_(as_fetch_options(options_), {}) {}

Result<void> HttpClient::connect() {
  BERTH_TRY(const auto proxy, proxy_for(url_, options_.proxy));
  BERTH_TRY(line_, open_line(url_, proxy, options_.tls, patience_));
  return {};
}

Result<HttpAnswer> HttpClient::exchange(const std::string& head, const std::string& body, bool& answered) {
  auto sent = line_->write(head);
  if (sent) sent = line_->write(body);
  // A peer that broke off may have answered first, that there is too much of it.
  if (!sent && sent.error().code != Errc::unreachable) return pass(std::move(sent.error()));
  HttpAnswer answer;
  std::uint64_t length = 0;
  ResponseReader reader({}, false, [&](std::string_view piece) -> Result<void> {
    length += piece.size();
    if (length > kLongestAnswer) return fail(Errc::protocol, "its answer has no end");
    answer.body += piece.substr(0, options_.most_answer - std::min(options_.most_answer, answer.body.size()));
    return {};
  });
  std::string buffer;
  while (!reader.done()) {
    auto got = line_->read(&buffer);
    if (!sent && (!got || *got == 0)) return pass(sent.error());
    if (!got) return pass(got.error());
    if (*got == 0 && !answered) return fail(Errc::unreachable, "it closed the connection without an answer");
    answered = true;
    if (*got == 0) {
      if (auto ended = reader.end(); !ended) return fail(Errc::unreachable, std::move(ended.error().message));
    } else {
      BERTH_CHECK(reader.take(buffer));
    }
  }
  if (!sent || !buffer.empty() || !is_kept(reader)) line_.reset();
  answer.status = reader.status;
  answer.headers = std::move(reader.headers);
  return answer;
}

Result<HttpAnswer> HttpClient::post(Headers headers, std::string body, std::stop_token stop) {
  HttpRequest request{.method = "POST", .target = url_.target, .headers = std::move(headers), .body = std::move(body)};
  return ask(std::move(request), std::move(stop));
}

Result<HttpAnswer> HttpClient::ask(HttpRequest request, std::stop_token stop) {
  if (request.headers.contains("authorization") && !url_.https && !is_loopback(url_.host))
    return fail(Errc::usage, url_.text() + ": a token or password is not sent over plain http: use https");
  BERTH_TRY(const auto proxy, proxy_for(url_, options_.proxy));
  const bool asks_proxy = proxy && !url_.https;
  Url there = url_;
  there.target = request.target;
  if (asks_proxy) request.target = there.text();
  request.keep_alive = true;
  request.headers["host"] = url_.authority();
  if (asks_proxy && !proxy->authorization.empty()) request.headers["proxy-authorization"] = proxy->authorization;
  BERTH_TRY(const std::string head, request_head(request));
  patience_.renew(std::move(stop));
  if (line_ && is_gone(*line_)) line_.reset();
  while (true) {
    const bool was_kept = line_ != nullptr;
    if (!was_kept) BERTH_CHECK(connect());
    bool answered = false;
    auto answer = exchange(head, request.body, answered);
    if (answer) return answer;
    line_.reset();
    if (!was_kept || answered || answer.error().code != Errc::unreachable) return answer;
  }
}

}  // namespace berth::io
