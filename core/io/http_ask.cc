#include <memory>
#include <optional>

#include <fmt/core.h>

#include "core/io/http_reader.h"
#include "core/io/http_text.h"
#include "core/io/unverified_tls.h"
#include "core/io/wire.h"

namespace berth::io {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kMostProblem = 64u << 10;  ///< of a refused stream's body

/// Why an exchange with `name` failed: times are told as the deadline that was given.
std::unexpected<Error> explain(Error error, const std::string& name, milliseconds deadline) {
  if (error.code == Errc::timeout) error.message = fmt::format("{}: no answer within {} ms", name, deadline.count());
  else if (error.message.find(name) == std::string::npos) error.message = name + ": " + error.message;
  return std::unexpected(std::move(error));
}

/// Connects and sends the request.
asio::awaitable<Result<Wire>> send(HttpRequest request, Steady::time_point deadline) {
  const auto head = request_head(request);
  if (!head) co_return std::unexpected(head.error());
  auto wire = co_await connect(request.to, deadline);
  if (!wire) co_return std::unexpected(wire.error());
  const std::string bytes = *head + request.body;
  const auto sent = co_await wire->write(bytes, request.deadline, deadline);
  // A peer that broke off may have answered first, that the request is too long.
  if (!sent && sent.error().code != Errc::protocol) co_return std::unexpected(sent.error());
  co_return std::move(*wire);
}

/// Reads on until the reader has what `enough` asks for. `Connection`: a Wire, or what is used as one.
template <class Connection>
asio::awaitable<Result<void>> read_until(bool (ResponseReader::*enough)() const, ResponseReader& reader, Connection& wire, std::string& buffer,
                                         Steady::time_point deadline) {
  while (!(reader.*enough)()) {
    const auto got = co_await wire.read(&buffer, deadline);
    if (!got) co_return std::unexpected(got.error());
    auto taken = *got == 0 ? reader.end() : reader.take(buffer);
    if (!taken || *got == 0) co_return taken;
  }
  co_return Result<void>();
}

/// Sends the request by TLS, and reads its answer.
asio::awaitable<Result<void>> exchange_by_tls(const HttpRequest& request, ResponseReader& reader, Steady::time_point deadline) {
  const auto head = request_head(request);
  if (!head) co_return std::unexpected(head.error());
  auto wire = co_await connect(request.to, deadline);
  if (!wire) co_return std::unexpected(wire.error());
  auto tls = co_await UnverifiedTls::agree(std::move(*wire), deadline);
  if (!tls) co_return std::unexpected(tls.error());
  const std::string bytes = *head + request.body;
  const auto sent = co_await tls->write(bytes, request.deadline, deadline);
  if (!sent) co_return std::unexpected(sent.error());
  std::string buffer;
  auto read = co_await read_until(&ResponseReader::done, reader, *tls, buffer, deadline);
  co_return read;
}

asio::awaitable<Result<void>> exchange_plainly(const HttpRequest& request, ResponseReader& reader, Steady::time_point deadline) {
  auto wire = co_await send(request, deadline);
  if (!wire) co_return std::unexpected(wire.error());
  std::string buffer;
  auto read = co_await read_until(&ResponseReader::done, reader, *wire, buffer, deadline);
  co_return read;
}

}  // namespace

asio::awaitable<Result<HttpAnswer>> http_ask(HttpRequest request) {
  const auto deadline = deadline_in(request.deadline);
  const std::string name = name_of(request.to);
  HttpAnswer answer;
  bool cut = false;
  BodySink keep = [&answer, &cut, most = request.most_body, may_cut = request.cut_body](std::string_view piece) -> Result<void> {
    const std::size_t room = most - answer.body.size();
    cut = piece.size() > room && may_cut;
    if (piece.size() > room && !cut) return fail(Errc::protocol, fmt::format("the body is longer than {} bytes", most));
    answer.body += piece.substr(0, room);
    if (cut) return fail(Errc::cancelled, "enough of the body was read");
    return {};
  };
  ResponseReader reader({}, request.method == "HEAD", std::move(keep));
  auto exchange = request.unverified_tls ? exchange_by_tls(request, reader, deadline) : exchange_plainly(request, reader, deadline);
  const auto read = co_await std::move(exchange);
  if (!read && !cut) co_return explain(read.error(), name, request.deadline);
  answer.status = reader.status;
  answer.headers = std::move(reader.headers);
  co_return answer;
}

asio::awaitable<Result<HttpAnswer>> http_stream(HttpRequest request, std::function<bool(std::string_view)> sink) {
  const auto deadline = deadline_in(request.deadline);
  const std::string name = name_of(request.to);
  auto wire = co_await send(request, deadline);
  if (!wire) co_return explain(wire.error(), name, request.deadline);

  HttpAnswer answer;
  bool ended = false;
  std::unique_ptr<ResponseReader> reader;
  const auto is_stream = [&reader] { return reader->status >= 200 && reader->status <= 299; };
  BodySink hand_on = [&](std::string_view piece) -> Result<void> {
    if (is_stream()) {
      ended = !sink(piece);
      if (ended) return fail(Errc::cancelled, "the sink ended it");
      return {};
    }
    if (piece.size() > kMostProblem - answer.body.size()) return fail(Errc::protocol, fmt::format("the body is longer than {} bytes", kMostProblem));
    answer.body += piece;
    return {};
  };
  reader = std::make_unique<ResponseReader>(ReaderLimits{}, request.method == "HEAD", std::move(hand_on));
  std::string buffer;
  auto read = co_await read_until(&ResponseReader::head_done, *reader, *wire, buffer, deadline);
  if (read) {
    const auto until = is_stream() ? deadline_in(milliseconds::max()) : deadline;
    read = co_await read_until(&ResponseReader::done, *reader, *wire, buffer, until);
  }
  if (!read && !ended) co_return explain(read.error(), name, request.deadline);
  answer.status = reader->status;
  answer.headers = std::move(reader->headers);
  co_return answer;
}

asio::awaitable<Result<void>> tcp_connect(Endpoint to, milliseconds deadline) {
  const std::string name = name_of(to);
  const auto wire = co_await connect(std::move(to), deadline_in(deadline));
  if (!wire) co_return explain(wire.error(), name, deadline);
  co_return Result<void>();
}

}  // namespace berth::io
