#include "exchange.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace load {
namespace {

std::int64_t wall_ns() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

std::string after(const std::string& what) { return what + ": " + std::strerror(errno); }

/// The value of a header of `head`, or empty.
std::string header(const std::string& head, const std::string& name) {
  const auto at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const auto from = at + name.size() + 4;
  return head.substr(from, head.find("\r\n", from) - from);
}

/// Why this is no whole and good answer; empty where it is one.
std::string judge(const std::string& answer) {
  if (answer.empty()) return "closed without an answer";
  const auto end = answer.find("\r\n\r\n");
  if (end == std::string::npos) return "closed inside the head";
  if (answer.compare(0, 7, "HTTP/1.") != 0 || answer.compare(8, 4, " 200") != 0) return "status " + answer.substr(9, 3);
  const std::string length = header(answer.substr(0, end + 2), "Content-Length");
  if (length.empty()) return "no Content-Length";
  if (answer.size() - end - 4 != std::strtoull(length.c_str(), nullptr, 10)) return "closed inside the body";
  return {};
}

std::string converse(int fd, std::uint16_t port, const std::string& path, std::string& answer) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return after("connect");
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return after("send");
  char block[16384];
  for (;;) {
    const ssize_t n = recv(fd, block, sizeof block, 0);
    if (n < 0) return after("recv");
    if (n == 0) return judge(answer);
    answer.append(block, static_cast<std::size_t>(n));
  }
}

}  // namespace

Outcome exchange(std::uint16_t port, const std::string& path, int limit_ms) {
  Outcome outcome;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{limit_ms / 1000, limit_ms % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // bounds connect too
  std::string answer;
  outcome.opened_ns = wall_ns();
  outcome.failure = converse(fd, port, path, answer);
  outcome.ended_ns = wall_ns();
  if (outcome.failure.empty()) outcome.release = header(answer, "X-Release");
  close(fd);
  return outcome;
}

}  // namespace load
