#include "daemon/ship/sinks/journald.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/files/fd.h"
#include "core/files/files.h"
#include "core/io/patience.h"
#include "core/io/unix_address.h"
#include "daemon/config/values.h"
#include "daemon/ship/sinks/journal_entry.h"

namespace berth::ship {
namespace {

constexpr std::size_t kLongestSocketPath = 107;
constexpr std::size_t kDatagramsAtOnce = 64;
constexpr std::size_t kSurelyTooLong = 200'000;  ///< bytes: more than a socket's usual buffer; shorter ones are tried

/// How far an attempt at a batch came, for when it is sent again: a datagram that the socket took is journald's, and need not come twice.
class SentBefore {
 public:
  /// How many entries of `batch` are taken already.
  std::size_t in(std::span<const Entry> batch) {
    const bool same = count_ > 0 && batch.size() >= count_ && is(batch.front(), first_) && is(batch[count_ - 1], last_);
    if (!same) count_ = 0;
    return count_;
  }
  void set(std::span<const Entry> batch, std::size_t count) {
    count_ = count;
    if (count == 0) return;
    first_ = {batch.front().origin, batch.front().sequence};
    last_ = {batch[count - 1].origin, batch[count - 1].sequence};
  }

 private:
  struct Mark {
    std::shared_ptr<const Origin> origin;
    std::uint64_t sequence = 0;
  };
  static bool is(const Entry& entry, const Mark& mark) { return entry.origin == mark.origin && entry.sequence == mark.sequence; }

  std::size_t count_ = 0;
  Mark first_, last_;
};

/// A file in memory that nobody can change any more, as journald wants entries that are longer than a datagram.
Result<Fd> sealed_file(std::string_view content) {
  Fd file(::memfd_create("berth-journal-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno("make a file in memory");
  BERTH_CHECK(files::write_all(file.get(), content, "a file in memory"));
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) return fail_errno("seal a file in memory");
  return file;
}

class Journald final : public Courier {
 public:
  explicit Journald(JournaldSettings settings)
      : settings_(std::move(settings)),
        patience_({.connect_timeout = settings_.timeout, .stall_timeout = settings_.timeout, .total_timeout = settings_.timeout}, {}) {
    patience_.connected();
  }

  Delivery deliver(std::span<const Entry> batch, std::stop_token stop) override {
    patience_.renew(std::move(stop));
    std::size_t count = before_.in(batch);
    Result<void> sent = connect();
    while (sent && count < batch.size()) sent = send_some(batch, count);
    before_.set(batch, sent ? 0 : count);
    if (sent) return taken();
    socket_.reset();
    return later(fmt::format("journald at {}: {}", settings_.socket.string(), sent.error().message));
  }

 private:
  Result<void> connect() {
    if (socket_) return {};
    BERTH_TRY(const auto address, io::unix_address(settings_.socket.string()));
    Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail_errno("make a socket");
    if (::connect(socket.get(), address.get(), address.size) < 0) return fail_errno("connect");
    socket_ = std::move(socket);
    return {};
  }

  /// Sends some of the entries from `count` on, and counts them.
  Result<void> send_some(std::span<const Entry> batch, std::size_t& count) {
    const std::span<const Entry> some = batch.subspan(count, std::min(kDatagramsAtOnce, batch.size() - count));
    if (some.front().text.size() > kSurelyTooLong) return send_as_file(some.front(), count);
    std::string bytes;
    std::array<std::size_t, kDatagramsAtOnce> ends{};
    std::size_t encoded = 0;
    for (; encoded < some.size() && some[encoded].text.size() <= kSurelyTooLong; ++encoded) {
      encoder_.encode(some[encoded], bytes);
      ends[encoded] = bytes.size();
    }
    std::array<iovec, kDatagramsAtOnce> parts{};
    std::array<mmsghdr, kDatagramsAtOnce> messages{};
    for (std::size_t i = 0, begin = 0; i < encoded; begin = ends[i++]) {
      parts[i] = {.iov_base = bytes.data() + begin, .iov_len = ends[i] - begin};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    std::size_t done = 0;
    while (done < encoded) {
      const int sent = ::sendmmsg(socket_.get(), messages.data() + done, static_cast<unsigned>(encoded - done), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent > 0) {
        done += static_cast<std::size_t>(sent);
        count += static_cast<std::size_t>(sent);
      } else if (const int number = errno; number == EMSGSIZE) {
        return send_as_file(some[done], count);
      } else if (auto waited = wait_after(number); !waited) {
        return waited;
      }
    }
    return {};
  }

  /// Waits where the kernel has no room at the moment; any other number is an error.
  Result<void> wait_after(int number) {
    if (number == ENOBUFS) std::this_thread::sleep_for(std::chrono::milliseconds(1));  // memory, which nobody can wait for
    if (number == EAGAIN || number == ENOBUFS) return patience_.wait(socket_.get(), POLLOUT);
    if (number == EINTR) return {};
    if (number == ECONNREFUSED || number == ENOTCONN || number == ECONNRESET || number == EPIPE) return fail(Errc::refused, "nobody listens there");
    return fail_errno("send", number);
  }

  Result<void> send_as_file(const Entry& entry, std::size_t& count) {
    std::string bytes;
    encoder_.encode(entry, bytes);
    BERTH_TRY(const Fd file, sealed_file(bytes));
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    const int number = file.get();
    std::memcpy(CMSG_DATA(rights), &number, sizeof number);
    while (::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) BERTH_CHECK(wait_after(errno));
    ++count;
    return {};
  }

  JournaldSettings settings_;
  JournalEncoder encoder_;
  io::Patience patience_;
  SentBefore before_;
  Fd socket_;
};

}  // namespace

JournaldSettings parse_journald(config::Section& section) {
  JournaldSettings settings;
  section.read("socket", settings.socket, [](const std::string& text) { return config::parse_path(text, kLongestSocketPath); });
  section.read("timeout", settings.timeout, [](const std::string& text) { return config::parse_interval(text); });
  return settings;
}

std::unique_ptr<Courier> make_journald_courier(JournaldSettings settings) { return std::make_unique<Journald>(std::move(settings)); }

Result<std::unique_ptr<Sink>> make_journald_sink(JournaldSettings settings) {
  BERTH_CHECK(io::unix_address(settings.socket.string()));
  std::string name = settings.name;
  const BatchLimits limits = settings.limits;
  return make_threaded_sink(std::move(name), limits, make_journald_courier(std::move(settings)));
}

}  // namespace berth::ship
