// Beast's parser, behind a plain header: the one source that compiles it.
#include "core/io/http_reader.h"

#include <algorithm>
#include <functional>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <fmt/core.h>

#include "core/io/http_text.h"

namespace berth::io {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr int kMostInterim = 8;

std::string_view plain(string_view text) { return {text.data(), text.size()}; }

/// What requests and answers have in common: fields are collected, the body is handed on, doubtful framing is refused (RFC 9112, 6.3).
template <bool is_request>
class Collector : public http::basic_parser<is_request> {
 public:
  Collector(ReaderLimits limits, Headers& headers) : headers_(headers), most_header_(limits.most_header), most_body_(limits.most_body) {
    this->header_limit(static_cast<std::uint32_t>(limits.most_header));  // of one piece; the sum is counted here
    this->body_limit(limits.most_body);
    this->eager(true);
  }

  /// Takes what it can from the front of `buffer`.
  Flaw feed(std::string& buffer) {
    while (!buffer.empty() && !this->is_done()) {
      error_code failed;
      fed_ = buffer;
      const std::size_t used = this->put(asio::const_buffer(buffer.data(), buffer.size()), failed);
      if (failed && failed != http::error::need_more) return flaw_ ? flaw_ : flaw_of(failed, buffer);
      buffer.erase(0, used);
      if (failed && buffer.size() > most_header_) return too_long_a_header();  // the size of a chunk, or trailers, without an end
      if (failed) break;  // needs more
      if (used == 0) break;
    }
    return {};
  }

 protected:
  virtual error_code take_body(string_view piece) = 0;

  error_code refuse(int status, std::string what) {
    flaw_ = {status, std::move(what)};
    return make_error_code(http::error::bad_value);
  }

  error_code begin_head(int version, std::size_t bytes) {
    version_ = version;
    return count(bytes);
  }
  int version_ = 11;

  void on_field_impl(http::field, string_view name, string_view value, error_code& failed) override {
    failed = count(name.size() + value.size() + 4);
    if (!failed && is_request && goes_on(name, value)) failed = refuse(400, "a header field that goes on in the next line");
    if (failed || head_done_) return;  // a trailer is not a header
    const std::string lower = lower_case(plain(name));
    const auto [place, is_new] = headers_.emplace(lower, plain(value));
    if (is_new) return;
    if (lower == "content-length" || lower == "transfer-encoding" || lower == "host") {
      failed = refuse(400, lower + " is there twice");
      return;
    }
    place->second += ", ";
    place->second += plain(value);
  }

  void on_header_impl(error_code& failed) override {
    head_done_ = true;
    const auto length = headers_.find("content-length");
    if (length != headers_.end() && length->second.find(',') != std::string::npos) failed = refuse(400, "content-length is there twice");
    const auto coding = headers_.find("transfer-encoding");
    if (coding == headers_.end()) return;
    if (length != headers_.end()) failed = refuse(400, "a length beside a transfer coding");
    else if (version_ < 11) failed = refuse(400, "a transfer coding in HTTP/1.0");
    else if (lower_case(coding->second) != "chunked") failed = refuse(501, "a transfer coding other than chunked");
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  void on_chunk_header_impl(std::uint64_t, string_view extensions, error_code& failed) override { failed = count(extensions.size()); }
  void on_finish_impl(error_code&) override {}
  std::size_t on_body_impl(string_view piece, error_code& failed) override {
    failed = take_body(piece);
    return piece.size();
  }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view piece, error_code& failed) override {
    failed = take_body(piece);
    return piece.size();
  }

 private:
  error_code count(std::size_t bytes) {
    header_bytes_ += bytes;
    if (header_bytes_ <= most_header_) return {};
    const Flaw flaw = too_long_a_header();
    return refuse(flaw.status, flaw.what);
  }

  /// Whether a value goes on behind the end of its line, which Beast joins (RFC 9112, 5.2: a server refuses that, or does the same). It is then no part of what was fed, or
  /// begins in another line than its name.
  bool goes_on(string_view name, string_view value) const {
    const std::less<> before;
    const char* const name_end = name.data() + name.size();
    if (before(value.data(), name_end) || before(fed_.data() + fed_.size(), value.data())) return true;
    return std::string_view(name_end, value.data()).find('\r') != std::string_view::npos;
  }

  Flaw flaw_of(const error_code& failed, std::string_view buffer) const {
    if (failed == http::error::header_limit) return too_long_a_header();
    if (failed == http::error::body_limit) return {413, fmt::format("the body is longer than the {} bytes that are allowed", most_body_)};
    if (failed == http::error::bad_version && tells_version(buffer)) return {505, "a version of HTTP other than 1.1 and 1.0"};
    return {400, "malformed HTTP (" + failed.message() + ")"};
  }

  /// Whether the first line ends as that of a request does, with any version.
  static bool tells_version(std::string_view buffer) {
    const std::string_view line = buffer.substr(0, buffer.find("\r\n"));
    const std::string_view version = line.substr(std::min(line.rfind(' '), line.size()));
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return std::ranges::count(line, ' ') == 2 && version.size() == 9 && version.starts_with(" HTTP/") && is_digit(version[6]) && version[7] == '.' && is_digit(version[8]);
  }

  Headers& headers_;
  std::string_view fed_;  ///< what is being taken from
  Flaw flaw_;
  Flaw too_long_a_header() const { return {431, fmt::format("the header is longer than the {} bytes that are allowed", most_header_)}; }

  std::size_t most_header_;
  std::uint64_t most_body_;
  std::size_t header_bytes_ = 0;
  bool head_done_ = false;
};

}  // namespace

struct RequestReader::Parser final : Collector<true> {
  Parser(ReaderLimits limits, RequestReader& its_owner) : Collector(limits, its_owner.headers), owner(its_owner) {}

  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code& failed) override {
    owner.method = plain(method);
    owner.target = plain(target);
    failed = begin_head(version, method.size() + target.size() + 12);
  }
  void on_response_impl(int, string_view, int, error_code&) override {}
  error_code take_body(string_view piece) override {
    owner.body += plain(piece);
    return {};
  }
  int http_version() const { return version_; }

  RequestReader& owner;
  bool passed_empty_line = false;
};

RequestReader::RequestReader(ReaderLimits limits) : parser_(std::make_unique<Parser>(limits, *this)) {}
RequestReader::~RequestReader() = default;
Flaw RequestReader::take(std::string& buffer) {
  if (!parser_->got_some() && !parser_->passed_empty_line) {  // one that clients once sent behind a body (RFC 9112, 2.2)
    if (buffer == "\r") return {};
    parser_->passed_empty_line = buffer.starts_with("\r\n");
    if (parser_->passed_empty_line) buffer.erase(0, 2);
  }
  return parser_->feed(buffer);
}
bool RequestReader::head_done() const { return parser_->is_header_done(); }
bool RequestReader::done() const { return parser_->is_done(); }
bool RequestReader::keep_alive() const { return parser_->keep_alive() && !is_http_1_0(); }
bool RequestReader::is_http_1_0() const { return parser_->http_version() < 11; }
bool RequestReader::expects_continue() const {
  const auto expect = headers.find("expect");
  return expect != headers.end() && !is_http_1_0() && lower_case(expect->second) == "100-continue";
}

struct ResponseReader::Parser final : Collector<false> {
  Parser(ReaderLimits limits, ResponseReader& its_owner) : Collector(limits, its_owner.headers), owner(its_owner) {}

  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int status, string_view reason, int version, error_code& failed) override {
    owner.status = status;
    failed = begin_head(version, reason.size() + 15);
  }
  error_code take_body(string_view piece) override {
    if (piece.empty()) return {};
    auto taken = owner.sink_(plain(piece));
    if (taken) return {};
    sink_failed = std::move(taken.error());
    return refuse(500, "the sink failed");
  }

  ResponseReader& owner;
  std::optional<Error> sink_failed;
};

ResponseReader::ResponseReader(ReaderLimits limits, bool to_head, BodySink sink) : limits_(limits), to_head_(to_head), sink_(std::move(sink)) {
  begin();
}
ResponseReader::~ResponseReader() = default;

void ResponseReader::begin() {
  status = 0;
  headers.clear();
  parser_ = std::make_unique<Parser>(limits_, *this);
  if (to_head_) parser_->skip(true);
}

Result<void> ResponseReader::take(std::string& buffer) {
  while (!buffer.empty()) {
    const Flaw flaw = parser_->feed(buffer);
    if (parser_->sink_failed) return std::unexpected(*parser_->sink_failed);
    if (flaw) return fail(Errc::protocol, flaw.what);
    const bool interim = parser_->is_done() && status / 100 == 1 && status != 101;
    if (!interim) return {};
    if (++interim_ > kMostInterim) return fail(Errc::protocol, "interim answers without an end");
    begin();
  }
  return {};
}

Result<void> ResponseReader::end() {
  error_code failed;
  if (!parser_->got_some()) return fail(Errc::protocol, "the connection was closed without an answer");
  parser_->put_eof(failed);
  if (failed) return fail(Errc::protocol, "the answer was cut short");
  return {};
}

bool ResponseReader::head_done() const { return parser_->is_header_done() && (status / 100 != 1 || status == 101); }
bool ResponseReader::done() const { return parser_->is_done(); }

std::string_view reason_phrase(int status) {
  return plain(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status))));
}

}  // namespace berth::io
