#include "core/io/grpc_health.h"

#include <csignal>

#include <fcntl.h>
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io/grpc_call.h"
#include "core/io/grpc_message.h"
#include "core/io/on_loop.h"
#include "core/io/raw_peer.h"

namespace berth::io {
namespace {

using namespace std::chrono_literals;

/// A real gRPC server, Google's, at a port of its own, whose health service is made of hand-written bytes like ours.
class GrpcServer {
 public:
  GrpcServer() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], 1);
      ::execl("/usr/bin/python3", "python3", "-c", kProgram, nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    std::string line;
    char c = 0;
    while (::read(ends[0], &c, 1) == 1 && c != '\n') line += c;
    ::close(ends[0]);
    port_ = static_cast<std::uint16_t>(std::atoi(line.c_str()));
  }
  ~GrpcServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  static constexpr const char* kProgram = R"(
import concurrent.futures, grpc, sys, time
answers = {b'': b'\x08\x01', b'well': b'\x08\x01', b'ill': b'\x08\x02', b'garbage': b'\x08'}
def check(request, context):
    name = request[2:]
    if name == b'slow': time.sleep(30)
    if name == b'broken': context.abort(grpc.StatusCode.INTERNAL, 'no\nidea 100%')
    if name not in answers: context.abort(grpc.StatusCode.NOT_FOUND, 'unknown')
    return answers[name]
same = lambda bytes: bytes
handler = grpc.method_handlers_generic_handler('grpc.health.v1.Health', {'Check': grpc.unary_unary_rpc_method_handler(check, same, same)})
server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((handler,))
print(server.add_insecure_port('127.0.0.1:0'), flush=True)
server.start()
server.wait_for_termination()
)";

  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

std::string ask_health(std::uint16_t port, std::string service, milliseconds deadline = 20s) {
  Loop loop;
  const auto serving = on_loop(loop, grpc_health({.to = {.address = "127.0.0.1", .port = port}, .service = std::move(service), .deadline = deadline}));
  if (serving) return std::string(to_string(*serving));
  EXPECT_TRUE(serving.error().message.find(std::to_string(port)) != std::string::npos) << serving.error().message;
  return serving.error().message;
}

TEST(GrpcHealth, OfAGrpcServerIsWhatItSays) {
  const GrpcServer server;
  ASSERT_NE(server.port(), 0) << "python3-grpcio is not installed";
  EXPECT_EQ(ask_health(server.port(), ""), "SERVING");
  EXPECT_EQ(ask_health(server.port(), "well"), "SERVING");
  EXPECT_EQ(ask_health(server.port(), "ill"), "NOT_SERVING");
  EXPECT_TRUE(ask_health(server.port(), "nobody").ends_with("its health service does not know 'nobody'")) << ask_health(server.port(), "nobody");
  EXPECT_TRUE(ask_health(server.port(), "broken").ends_with("gRPC status 13: no idea 100%")) << ask_health(server.port(), "broken");
  EXPECT_TRUE(ask_health(server.port(), "garbage").ends_with("its answer is no HealthCheckResponse"));
  const auto began = Steady::now();
  EXPECT_TRUE(ask_health(server.port(), "slow", 300ms).ends_with("no answer within 300 ms")) << "whoever of both looks at the clock first";
  EXPECT_LT(Steady::now() - began, 10s);
}

TEST(GrpcHealth, OfWhatSpeaksNoGrpcIsAnErrorThatSaysSo) {
  const RawPeer http([](int connection) {
    read_head(connection);
    send_raw(connection, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    read_raw(connection);  // until the other end has seen enough
  });
  EXPECT_NE(ask_health(http.port(), "").find("does not speak HTTP/2"), std::string::npos) << ask_health(http.port(), "");
  const RawPeer silent([](int) {});
  EXPECT_NE(ask_health(silent.port(), "").find(std::to_string(silent.port())), std::string::npos);
  std::uint16_t port = 0;
  {
    const RawPeer gone([](int) {});
    port = gone.port();
  }
  EXPECT_NE(ask_health(port, "").find("nothing listens"), std::string::npos);
}

/// An answer that HTTP/2 forbids, with a second :status, is none, whatever status of gRPC came before; and however it is cut.
TEST(GrpcHealth, OfAnAnswerThatBreaksOffIsAnErrorHoweverItIsCut) {
  using namespace std::string_literals;
  const std::string settings = "\0\0\0\x04\0\0\0\0\0"s, head = "\0\0\x11\x01\x05\0\0\0\x01"s, fields = "\x88\0\x0b" "grpc-status\x01" "0\x88"s;
  const std::string bytes = settings + head + fields;
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    GrpcCall call("127.0.0.1:1", "/grpc.health.v1.Health/Check", health_request(""), milliseconds(1000));
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      ASSERT_TRUE(call.to_send());
      ASSERT_TRUE(call.take(std::string_view(bytes).substr(at, piece)));
    }
    ASSERT_TRUE(call.to_send());
    EXPECT_FALSE(call.answer()) << "in pieces of " << piece;
  }
}

}  // namespace
}  // namespace berth::io
