#include "core/io/grpc_health.h"

#include <fmt/core.h>

#include "core/io/grpc_call.h"
#include "core/io/wire.h"

namespace berth::io {
namespace {

namespace asio = boost::asio;

constexpr const char* kCheck = "/grpc.health.v1.Health/Check";
constexpr int kDeadlineExceeded = 4, kNotFound = 5, kUnimplemented = 12;  // of gRPC's statuses

/// Sends what the call has to send, and gives it what comes, until it is done.
asio::awaitable<Result<void>> carry_call(GrpcCall& call, Wire& wire, Steady::time_point deadline) {
  std::string received;
  while (true) {
    const auto bytes = call.to_send();
    if (!bytes) co_return std::unexpected(bytes.error());
    const auto sent = co_await wire.write(*bytes, milliseconds(60'000), deadline);
    if (!sent) co_return sent;
    if (call.done()) co_return Result<void>();
    received.clear();
    const auto got = co_await wire.read(&received, deadline);
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) co_return Result<void>();
    if (auto taken = call.take(received); !taken) co_return taken;
  }
}

Result<Serving> judge(const GrpcCall& call, const std::string& service) {
  BERTH_TRY(const GrpcCall::Answer answer, call.answer());
  if (answer.status == 0) return read_health_response(answer.body);
  if (answer.status == kDeadlineExceeded) return fail(Errc::timeout, "it gave up at our deadline, which it is told");
  if (answer.status == kNotFound) return fail(Errc::not_found, fmt::format("its health service does not know '{}'", service));
  if (answer.status == kUnimplemented) return fail(Errc::not_found, "it has no health service (grpc.health.v1)");
  return fail(Errc::protocol, fmt::format("gRPC status {}{}{}", answer.status, answer.message.empty() ? "" : ": ", answer.message));
}

}  // namespace

asio::awaitable<Result<Serving>> grpc_health(GrpcHealthRequest request) {
  const auto deadline = deadline_in(request.deadline);
  const std::string name = name_of(request.to);
  auto wire = co_await connect(request.to, deadline);
  auto carried = Result<void>();
  GrpcCall call(name, kCheck, health_request(request.service), request.deadline);
  if (wire) carried = co_await carry_call(call, *wire, deadline);
  else carried = std::unexpected(wire.error());
  auto serving = carried ? judge(call, request.service) : Result<Serving>(std::unexpected(carried.error()));
  if (!serving && serving.error().code == Errc::timeout)
    co_return fail(Errc::timeout, fmt::format("{}: no answer within {} ms", name, request.deadline.count()));
  if (!serving && serving.error().message.find(name) == std::string::npos) serving.error().message = name + ": " + serving.error().message;
  co_return serving;
}

}  // namespace berth::io
