#include "exchange.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
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

/// Bytes of a whole answer, by what has come of it; 0 while that is not known.
std::size_t whole_length(const std::string& answer) {
  const auto end = answer.find("\r\n\r\n");
  if (end == std::string::npos) return 0;
  const std::string length = header(answer.substr(0, end + 2), "Content-Length");
  return length.empty() ? 0 : end + 4 + std::strtoull(length.c_str(), nullptr, 10);
}

/// Why this is no whole and good answer; empty where it is one.
std::string judge(const std::string& answer) {
  if (answer.empty()) return "closed without an answer";
  const auto end = answer.find("\r\n\r\n");
  if (end == std::string::npos) return "closed inside the head";
  if (answer.compare(0, 7, "HTTP/1.") != 0 || answer.compare(8, 4, " 200") != 0) return "status " + answer.substr(9, 3);
  const std::size_t whole = whole_length(answer);
  if (whole == 0) return "no Content-Length";
  if (answer.size() != whole) return "closed inside the body";
  return {};
}

void pause_ms(int ms) {
  const timespec t{0, ms * 1'000'000L};
  nanosleep(&t, nullptr);
}

}  // namespace

void Asker::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

std::string Asker::connect() {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{limit_ms_ / 1000, limit_ms_ % 1000 * 1000};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // bounds connect too
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port_);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return after("connect");
  return {};
}

std::string Asker::send_request() const {
  const std::string request = "GET " + path_ + " HTTP/1.1\r\nHost: localhost\r\n" + (client_ == Client::keep_alive ? "\r\n" : "Connection: close\r\n\r\n");
  const std::size_t piece = client_ == Client::slow ? 8 : request.size();
  for (std::size_t sent = 0; sent < request.size();) {
    const ssize_t n = send(fd_, request.data() + sent, std::min(piece, request.size() - sent), MSG_NOSIGNAL);
    if (n <= 0) return after("send");
    sent += static_cast<std::size_t>(n);
    if (client_ == Client::slow) pause_ms(20);
  }
  return {};
}

std::string Asker::receive(std::string& answer) const {
  char block[16384];
  const std::size_t piece = client_ == Client::slow ? 32 : sizeof block;
  for (;;) {
    const ssize_t n = recv(fd_, block, piece, 0);
    if (n < 0) return after("recv");
    answer.append(block, static_cast<std::size_t>(n));
    if (n == 0 || (client_ == Client::keep_alive && answer.size() == whole_length(answer))) return judge(answer);
    if (client_ == Client::slow) pause_ms(20);
  }
}

std::string Asker::converse(std::string& answer) {
  const bool reused = fd_ >= 0;
  std::string failure = reused ? std::string() : connect();
  if (failure.empty()) failure = send_request();
  if (failure.empty()) failure = receive(answer);
  if (failure.empty() || !reused || !answer.empty()) return failure;
  close();
  failure = connect();
  if (failure.empty()) failure = send_request();
  return failure.empty() ? receive(answer) : failure;
}

Outcome Asker::ask() {
  Outcome outcome;
  std::string answer;
  outcome.opened_ns = wall_ns();
  outcome.failure = converse(answer);
  outcome.ended_ns = wall_ns();
  if (outcome.failure.empty()) outcome.release = header(answer, "X-Release");
  if (client_ != Client::keep_alive || !outcome.failure.empty() || header(answer, "Connection") == "close") close();
  return outcome;
}

}  // namespace load
