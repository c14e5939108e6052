// What a server answers to a health probe by gRPC, in pieces of any length; and the message alone.

#include <string>

#include "core/io/grpc_call.h"
#include "core/io/grpc_message.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace berth;

/// The answer's body and status, or why there is none.
std::string answer_in(std::string_view bytes, std::size_t piece) {
  io::GrpcCall call("127.0.0.1:1", "/grpc.health.v1.Health/Check", io::health_request("web"), std::chrono::milliseconds(1000));
  for (std::size_t at = 0; at < bytes.size() && !call.done(); at += piece) {
    if (!call.to_send()) return "unsent";
    if (!call.take(bytes.substr(at, piece))) return "refused";
  }
  const auto answer = call.answer();
  if (!answer) return "none";
  fuzz::must(answer->body.size() <= (64u << 10) && answer->message.size() <= 200, "more was taken than is allowed");
  return std::to_string(answer->status) + answer->body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto bytes = fuzz::text_of(data + 1, size - 1);
  const auto serving = io::read_health_response(bytes);
  if (serving) fuzz::must(!io::to_string(*serving).empty(), "a status without a name");
  const std::string whole = answer_in(bytes, bytes.size()), pieces = answer_in(bytes, 1 + data[0] % 16u);
  // Once the call is over, what follows in the same piece is of no interest, and may be anything.
  if (whole != "refused" && pieces != "refused") fuzz::must(whole == pieces, "the length of the pieces matters");
  return 0;
}
