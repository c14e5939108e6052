#include "daemon/ship/sinks/journald.h"

#include <cstring>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/io/unix_address.h"
#include "daemon/ship/sinks/journal_entry.h"
#include "daemon/ship/sinks/sinks_fixture.h"

namespace berth::ship {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Kind = Delivery::Kind;
using Fields = std::map<std::string, std::string>;

/// Reads an entry as strictly as journald does, and more so: what it would drop without a word is a failure.
Fields parse_native(std::string_view bytes) {
  Fields fields;
  while (!bytes.empty()) {
    const auto end = bytes.find_first_of("=\n");
    if (end == std::string_view::npos) {
      ADD_FAILURE() << "a field without an end";
      break;
    }
    const std::string name(bytes.substr(0, end));
    EXPECT_TRUE(!name.empty() && name.size() <= 64 && name[0] >= 'A' && name[0] <= 'Z') << name;
    EXPECT_EQ(name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"), std::string::npos) << name;
    const bool is_binary = bytes[end] == '\n';
    bytes.remove_prefix(end + 1);
    std::size_t length = 0;
    if (is_binary) {
      if (bytes.size() < 8) {
        ADD_FAILURE() << "a length without its bytes";
        break;
      }
      for (std::size_t i = 0; i < 8; ++i) length |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
      bytes.remove_prefix(8);
    } else {
      length = bytes.find('\n');
    }
    if (length >= bytes.size() || bytes[length] != '\n') {
      ADD_FAILURE() << name << " does not end where it should";
      break;
    }
    EXPECT_TRUE(fields.emplace(name, bytes.substr(0, length)).second) << name << " twice";
    bytes.remove_prefix(length + 1);
  }
  return fields;
}

/// A journald of the tests' own.
class Receiver {
 public:
  explicit Receiver(std::string path) : path_(std::move(path)) {
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto address = io::unix_address(path_);
    EXPECT_EQ(::bind(socket_.get(), address->get(), address->size), 0) << path_;
    const timeval patience{.tv_sec = 10};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Receiver() { ::unlink(path_.c_str()); }

  /// The next entry; `as_file` tells whether it came as a sealed file.
  Fields receive(bool* as_file = nullptr) {
    std::string bytes(300'000, '\0');
    iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    if (got < 0) {
      ADD_FAILURE() << "nothing came";
      return {};
    }
    bytes.resize(static_cast<std::size_t>(got));
    const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    if (as_file != nullptr) *as_file = rights != nullptr;
    if (rights == nullptr) return parse_native(bytes);
    EXPECT_EQ(got, 0) << "bytes beside a file";
    int number = -1;
    std::memcpy(&number, CMSG_DATA(rights), sizeof number);
    const Fd file(number);
    EXPECT_EQ(::fcntl(file.get(), F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    struct stat about{};
    ::fstat(file.get(), &about);
    std::string content(static_cast<std::size_t>(about.st_size), '\0');
    EXPECT_EQ(::pread(file.get(), content.data(), content.size(), 0), about.st_size);
    return parse_native(content);
  }

 private:
  std::string path_;
  Fd socket_;
};

class JournaldSink : public testing::Test {
 protected:
  std::string path() const { return folder_.path() / "socket"; }
  std::unique_ptr<Courier> courier(std::chrono::milliseconds timeout = 10s) const {
    return make_journald_courier({.name = "j", .socket = path(), .timeout = timeout});
  }
  files::TemporaryDirectory folder_;
};

TEST_F(JournaldSink, EntriesHaveFieldsOfTheirOwn) {
  Receiver receiver(path());
  auto origin = sample_origin();
  origin->labels = {{"rack-7", "r7"}, {std::string(60, 'x'), "long"}};
  Entry entry = sample_entry(7, "hello", origin);
  entry.severity = Severity::warning;
  const Delivery delivery = courier()->deliver({&entry, 1}, {});
  ASSERT_EQ(delivery.kind, Kind::taken) << delivery.reason;
  EXPECT_EQ(receiver.receive(), (Fields{{"MESSAGE", "hello"},
                                        {"PRIORITY", "4"},
                                        {"SYSLOG_IDENTIFIER", "web"},
                                        {"BERTH_APP", "web"},
                                        {"BERTH_ENVIRONMENT", "qa"},
                                        {"BERTH_RELEASE", "v42"},
                                        {"BERTH_PROCESS", "worker"},
                                        {"BERTH_INSTANCE", "web/worker.2"},
                                        {"BERTH_DEPLOYMENT", "17"},
                                        {"BERTH_NODE", "edge-1"},
                                        {"BERTH_STREAM", "stdout"},
                                        {"BERTH_SEQUENCE", "7"},
                                        {"BERTH_TIME", "2026-11-24T09:00:01.123456789Z"},
                                        {"BERTH_LABEL_RACK_7", "r7"},
                                        {"BERTH_LABEL_" + std::string(52, 'X'), "long"}}));
}

TEST_F(JournaldSink, AnyTextArrivesAsItIs) {
  Receiver receiver(path());
  for (const std::string& text : {std::string(), std::string("two\nlines"), std::string("nul\0byte", 8), std::string("=\n="), std::string("\n")}) {
    Entry entry = sample_entry(1, text);
    ASSERT_EQ(courier()->deliver({&entry, 1}, {}).kind, Kind::taken);
    EXPECT_EQ(receiver.receive()["MESSAGE"], text);
  }
}

TEST_F(JournaldSink, LongEntriesComeAsSealedFilesInTheirOrder) {
  Receiver receiver(path());
  std::vector<Entry> batch = sample_batch(5);
  batch[1].text = std::string(1u << 20, 'a');                 // surely too long
  batch[3].text = std::string(190'000, 'b') + std::string(9'000, '\n');  // perhaps: the kernel says so
  std::thread sender([&] { EXPECT_EQ(courier()->deliver(batch, {}).kind, Kind::taken); });
  for (const Entry& entry : batch) {
    bool as_file = false;
    EXPECT_EQ(receiver.receive(&as_file)["MESSAGE"], entry.text);
    const bool may_be_either = entry.sequence == 4;
    EXPECT_TRUE(may_be_either || as_file == (entry.sequence == 2)) << entry.sequence;
  }
  sender.join();
}

TEST_F(JournaldSink, AFullQueueIsWaitedForAndWhatWasTakenComesNotTwice) {
  Receiver receiver(path());
  const auto batch = sample_batch(1000);  // more than any queue of datagrams holds
  const auto one = courier(300ms);
  const Delivery first = one->deliver(batch, {});
  ASSERT_EQ(first.kind, Kind::later);
  EXPECT_THAT(first.reason, HasSubstr("journald at " + path()));
  std::thread sender([&] {
    Delivery delivery = first;
    for (int attempt = 0; attempt < 100 && delivery.kind == Kind::later; ++attempt) delivery = one->deliver(batch, {});
    EXPECT_EQ(delivery.kind, Kind::taken) << delivery.reason;
  });
  for (const Entry& entry : batch) {
    const Fields fields = receiver.receive();
    ASSERT_TRUE(fields.contains("BERTH_SEQUENCE"));
    EXPECT_EQ(fields.at("BERTH_SEQUENCE"), std::to_string(entry.sequence));
  }
  sender.join();
}

TEST_F(JournaldSink, AnotherBatchAfterAFailedOneIsSentWhole) {
  const auto one = courier(300ms);
  {
    Receiver receiver(path());
    ASSERT_EQ(one->deliver(sample_batch(1000), {}).kind, Kind::later);
  }
  Receiver receiver(path());
  const auto other = sample_batch(2, 5000);
  ASSERT_EQ(one->deliver(other, {}).kind, Kind::taken);
  EXPECT_EQ(receiver.receive()["BERTH_SEQUENCE"], "5000");
}

TEST_F(JournaldSink, AJournaldThatIsGoneIsForLaterAndFoundAgain) {
  const auto one = courier();
  const auto batch = sample_batch(1);
  EXPECT_THAT(one->deliver(batch, {}).reason, HasSubstr("connect: No such file"));
  {
    Receiver receiver(path());
    EXPECT_EQ(one->deliver(batch, {}).kind, Kind::taken);
  }
  EXPECT_EQ(one->deliver(batch, {}).kind, Kind::later);
  Receiver receiver(path());
  EXPECT_EQ(one->deliver(batch, {}).kind, Kind::taken);
  EXPECT_EQ(receiver.receive()["MESSAGE"], "line 1");
}

TEST(JournaldSettings, APathThatIsTooLongForASocketIsRefused) {
  const auto sink = make_journald_sink({.name = "j", .socket = "/" + std::string(200, 'x')});
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().code, Errc::usage);
}

}  // namespace
}  // namespace berth::ship
