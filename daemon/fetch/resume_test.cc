// What a connection that is cut costs: at whatever place, little is fetched twice.

#include <atomic>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/io/raw_peer.h"
#include "daemon/fetch/blob_fetch.h"

namespace berth::fetch {
namespace {

using bundle::kChunk;

constexpr std::uint64_t kMostTwice = 1u << 20;
constexpr int kPlaces = 211;  // a prime, so that places are no round numbers

/// Serves one blob, by ranges, and cuts its first answer.
struct CuttingServer {
  explicit CuttingServer(const std::string& its_blob) : blob(its_blob), peer([this](int connection) { answer(connection); }) {}
  std::string url() const { return fmt::format("http://127.0.0.1:{}/", peer.port()); }

  void answer(int connection) {
    const std::string head = io::read_head(connection);
    const auto range = head.find("range: bytes=");
    const std::size_t from = range == std::string::npos ? 0 : std::stoul(head.substr(range + 13));
    std::string answer = from == 0 ? fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", blob.size())
                                   : fmt::format("HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n",
                                                 blob.size() - from, from, blob.size() - 1, blob.size());
    io::send_raw(connection, answer);
    const auto piece = std::string_view(blob).substr(from, cut_after.exchange(blob.size()));
    sent += piece.size();  // before the client may be done
    io::send_raw(connection, piece);
  }

  const std::string& blob;
  std::atomic<std::uint64_t> cut_after{0}, sent{0};
  io::RawPeer peer;
};

class Resuming : public testing::Test {
 protected:
  Resuming() {
    std::uint32_t state = 7;
    for (char& byte : blob) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    for (std::size_t at = 0; at < blob.size(); at += kChunk) chunks.push_back(crypto::sha256_hex(std::string_view(blob).substr(at, kChunk)));
    ref = {.sha256 = crypto::sha256_hex(blob), .size = blob.size()};
  }
  std::uint64_t place(int number) const { return blob.size() * static_cast<std::uint64_t>(number) / kPlaces; }
  Result<void> fetch(int tries) {
    const auto source = blob_source_at(server.url(), fetch_options({}));
    Progress progress;
    return fetch_blob(**source, ref, chunks, file, progress, {}, {.in_a_row = tries, .first_wait = std::chrono::milliseconds(0)});
  }
  void expect_whole_and_little_twice(std::uint64_t cut) {
    EXPECT_TRUE(files::read(file, 10u << 20).value_or("") == blob) << cut;
    EXPECT_LE(server.sent - blob.size(), kMostTwice) << cut;
    most_twice = std::max<std::uint64_t>(most_twice, server.sent - blob.size());
    std::filesystem::remove(file);
  }

  std::string blob = std::string(2 * kChunk + 300'007, '\0');
  bundle::BlobRef ref;
  std::vector<std::string> chunks;
  files::TemporaryDirectory folder;
  std::filesystem::path file = folder.path() / "blob";
  CuttingServer server{blob};
  std::uint64_t most_twice = 0;
};

TEST_F(Resuming, NothingIsFetchedTwiceWhereverTheConnectionIsCut) {
  for (int number = 0; number < kPlaces; ++number) {
    server.sent = 0;
    server.cut_after = place(number);
    const auto done = fetch(2);
    ASSERT_TRUE(done) << place(number) << ": " << done.error().message;
    expect_whole_and_little_twice(place(number));
  }
  EXPECT_EQ(most_twice, 0u) << "what came is kept";
}

TEST_F(Resuming, AfterBerthdDiedAMebibyteIsFetchedTwiceAtMost) {
  for (int number = 0; number < kPlaces; ++number) {
    server.sent = 0;
    server.cut_after = place(number);
    ASSERT_FALSE(fetch(1)) << place(number);
    const auto done = fetch(1);  // which finds what the other left on the disk
    ASSERT_TRUE(done) << place(number) << ": " << done.error().message;
    expect_whole_and_little_twice(place(number));
  }
  EXPECT_GT(most_twice, 0u) << "what was not checked yet is not believed";
}

}  // namespace
}  // namespace berth::fetch
