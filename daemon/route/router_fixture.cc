#include "daemon/route/router_fixture.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth::route {
namespace {

struct Name {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

Name name_of(const std::string& address, std::uint16_t port) {
  Name name;
  auto& four = reinterpret_cast<sockaddr_in&>(name.storage);
  auto& six = reinterpret_cast<sockaddr_in6&>(name.storage);
  if (::inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    name.size = sizeof six;
  } else {
    EXPECT_EQ(::inet_pton(AF_INET, address.c_str(), &four.sin_addr), 1) << address;
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    name.size = sizeof four;
  }
  return name;
}

std::string failure(const char* doing) { return std::string("!") + doing + ": " + std::strerror(errno); }

/// The child's whole life: only system calls, since other threads of the parent may have held locks.
[[noreturn]] void serve_forever(int listener, const char* name, std::size_t size) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(listener, 3);
  ::syscall(SYS_close_range, 4, ~0u, 0);
  for (;;) {
    const int client = ::accept(3, nullptr, nullptr);
    if (client < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      ::_exit(1);
    }
    ::usleep(200);
    [[maybe_unused]] const auto written = ::write(client, name, size);
    ::close(client);
  }
}

}  // namespace

std::string ask(const std::string& address, std::uint16_t port, const std::string& from, int timeout_ms) {
  const Name to = name_of(address, port);
  const Fd client(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!from.empty()) {
    const Name source = name_of(from, 0);
    if (::bind(client.get(), source.get(), source.size) != 0) return failure("bind");
  }
  const timeval timeout{.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
  ::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  ::setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  if (::connect(client.get(), to.get(), to.size) != 0) return failure("connect");
  std::string answer;
  char buffer[64];
  ssize_t got;
  while ((got = ::read(client.get(), buffer, sizeof buffer)) > 0) answer.append(buffer, static_cast<std::size_t>(got));
  if (got < 0) return failure("read");
  return answer.empty() ? "!closed without an answer" : answer;
}

Server::Server(int listener, const std::string& name) {
  pid_ = ::fork();
  if (pid_ == 0) serve_forever(listener, name.data(), name.size());
  EXPECT_GT(pid_, 0);
}

void Server::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string all_addresses() { return Fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) ? "::" : "0.0.0.0"; }
std::string another_loopback() { return all_addresses() == "::" ? "::1" : "127.0.0.2"; }

Fd listen_at(const std::string& address, std::uint16_t port, bool shared) {
  const Name name = name_of(address, port);
  Fd socket(::socket(name.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (shared) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
  if (::bind(socket.get(), name.get(), name.size) != 0 || ::listen(socket.get(), 1024) != 0) socket.reset();
  return socket;
}

Load::Load(std::uint16_t port, int clients) {
  for (int client = 0; client < clients; ++client) threads_.emplace_back([this, port, client] { ask_again_and_again(port, client); });
}

void Load::ask_again_and_again(std::uint16_t port, int client) {
  std::map<std::string, int> mine;
  std::vector<std::string> failed;
  const std::string address = client % 2 == 0 ? "127.0.0.1" : another_loopback();
  while (!stop_) {
    const std::string answer = ask(address, port);
    if (answer.starts_with('!')) failed.push_back(answer);
    else ++mine[answer];
    ++total_;
  }
  const std::scoped_lock lock(mutex_);
  for (const auto& [answer, count] : mine) answers[answer] += count;
  failures.insert(failures.end(), failed.begin(), failed.end());
}

void Load::end() {
  stop_ = true;
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void Load::await(int count) {
  const int until = total_ + count;
  while (total_ < until) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace berth::route
