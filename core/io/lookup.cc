#include "core/io/lookup.h"

#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include <fmt/core.h>
#include <netdb.h>

#include "core/io/signals_blocked.h"

namespace berth::io {
namespace {

constexpr std::size_t kMostAddresses = 16;

/// A question to the resolver, owned by whoever asks and by the thread that does it.
struct Question {
  std::string host, port;
  std::mutex mutex;
  std::condition_variable answered;
  bool done = false;
  int failure = 0;
  std::vector<IpAddress> found;
};

void answer(const std::shared_ptr<Question>& question) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV;
  addrinfo* first = nullptr;
  const int failure = ::getaddrinfo(question->host.c_str(), question->port.c_str(), &wanted, &first);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(failure == 0 ? first : nullptr, &::freeaddrinfo);
  const std::lock_guard lock(question->mutex);
  for (const addrinfo* each = owned.get(); each != nullptr && question->found.size() < kMostAddresses; each = each->ai_next) {
    IpAddress address;
    std::memcpy(&address.name, each->ai_addr, each->ai_addrlen);
    address.size = each->ai_addrlen;
    question->found.push_back(address);
  }
  question->failure = failure;
  question->done = true;
  question->answered.notify_all();
}

/// Whether the name is this machine's own by RFC 6761, 6.3: `localhost`, or below it.
bool is_localhost(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return name == "localhost" || name.ends_with(".localhost");
}

}  // namespace

Result<std::vector<IpAddress>> look_up(const std::string& host, std::uint16_t port, const Patience& patience) {
  if (const auto numeric = ip_address(host, port)) return std::vector{*numeric};
  // Not asked of anybody: a machine may have no file of hosts, and a name server no say in it.
  if (is_localhost(host)) return std::vector{*ip_address("127.0.0.1", port), *ip_address("::1", port)};
  auto question = std::make_shared<Question>();
  question->host = host;
  question->port = std::to_string(port);
  try {
    const SignalsBlocked blocked;
    std::thread(answer, question).detach();
  } catch (const std::system_error& error) {
    return fail(Errc::io, fmt::format("look up {}: no thread for it: {}", host, error.what()));
  }
  std::unique_lock lock(question->mutex);
  while (!question->done) {
    BERTH_CHECK(patience.check());
    question->answered.wait_for(lock, kSlice);
  }
  if (question->failure != 0) return fail(Errc::unreachable, fmt::format("the name {} is not known: {}", host, ::gai_strerror(question->failure)));
  return std::move(question->found);
}

}  // namespace berth::io
