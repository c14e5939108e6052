#include "daemon/fetch/blob_fetch.h"

#include <deque>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/bundle/layer.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::fetch {
namespace {

namespace fs = std::filesystem;
using bundle::kChunk;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// A repository of one blob, which misbehaves as it is told, once for each order.
class FakeSource : public BlobSource {
 public:
  struct Fault {
    std::uint64_t after = 0;            ///< bytes that come first
    std::optional<Error> error{};       ///< none: it just ends
    std::optional<std::uint64_t> flip{};  ///< a byte of the blob that comes wrong, in an otherwise whole answer
  };

  Result<void> read(const std::string& path, std::uint64_t from, std::uint64_t most, const Sink& sink, std::stop_token stop) override {
    EXPECT_EQ(path, bundle::blob_path(crypto::sha256_hex(blob)));
    if (stop.stop_requested()) return fail(Errc::cancelled, "stopped");
    asked.push_back(from);
    std::string bytes = blob.substr(std::min<std::uint64_t>(from, blob.size()), most);
    if (faults.empty()) return send(bytes, sink);
    const Fault fault = faults.front();
    if (!always) faults.pop_front();
    if (fault.flip) {
      if (*fault.flip >= from) bytes[*fault.flip - from] ^= 1;
      return send(bytes, sink);
    }
    BERTH_CHECK(send(bytes.substr(0, fault.after), sink));
    if (fault.error) return std::unexpected(*fault.error);
    return {};
  }

  std::string blob;
  std::deque<Fault> faults;
  bool always = false;  ///< the first fault stays
  std::vector<std::uint64_t> asked;

 private:
  static Result<void> send(std::string_view bytes, const Sink& sink) {
    for (std::size_t at = 0; at < bytes.size(); at += 100'000) BERTH_CHECK(sink(bytes.substr(at, 100'000)));
    return {};
  }
};

const Error kBroken{Errc::unreachable, "the connection broke"};

class BlobFetch : public testing::Test {
 protected:
  BlobFetch() {
    source.blob.resize(3 * kChunk + 1000);
    for (std::size_t at = 0; at < source.blob.size(); ++at) source.blob[at] = static_cast<char>(at * at >> 7);
    for (std::size_t at = 0; at < source.blob.size(); at += kChunk) chunks.push_back(crypto::sha256_hex(source.blob.substr(at, kChunk)));
    ref = {.sha256 = crypto::sha256_hex(source.blob), .size = source.blob.size()};
  }

  Result<void> fetch(std::stop_token stop = {}) {
    return fetch_blob(source, ref, chunks, file, progress, std::move(stop), {.first_wait = std::chrono::milliseconds(1)});
  }
  void expect_whole(const Result<void>& done) {
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_TRUE(files::read(file, 10u << 20).value_or("") == source.blob);
    EXPECT_EQ(progress.bytes_done, source.blob.size());
    EXPECT_FALSE(fs::exists(part));
  }
  void expect_refused(const Result<void>& done, Errc code, const std::string& why) {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, code) << done.error().message;
    EXPECT_THAT(done.error().message, AllOf(HasSubstr(ref.sha256.substr(0, 12)), HasSubstr(why)));
    EXPECT_FALSE(fs::exists(file));
  }

  files::TemporaryDirectory folder;
  fs::path file = folder.path() / "blob", part = folder.path() / "blob.part";
  FakeSource source;
  bundle::BlobRef ref;
  std::vector<std::string> chunks;
  Progress progress;
};

TEST_F(BlobFetch, BringsAWholeBlob) {
  expect_whole(fetch());
  EXPECT_THAT(source.asked, ElementsAre(0));
}

TEST_F(BlobFetch, GoesOnWhereAConnectionBroke) {
  source.faults = {{.after = 1'600'000, .error = kBroken}, {.after = 900'000, .error = Error{Errc::timeout, "no bytes for 15 s"}}};
  expect_whole(fetch());
  EXPECT_THAT(source.asked, ElementsAre(0, 1'600'000, 2'500'000));
}

TEST_F(BlobFetch, GoesOnWithThePartAnEarlierOneLeft) {
  ASSERT_TRUE(files::replace(part, source.blob.substr(0, kChunk + 77)));
  expect_whole(fetch());
  EXPECT_THAT(source.asked, ElementsAre(kChunk));
}

TEST_F(BlobFetch, BelievesNothingOfADamagedPart) {
  std::string damaged = source.blob.substr(0, 2 * kChunk);
  damaged[kChunk + 3] ^= 1;
  ASSERT_TRUE(files::replace(part, damaged));
  expect_whole(fetch());
  EXPECT_THAT(source.asked, ElementsAre(kChunk));
}

TEST_F(BlobFetch, FetchesAWrongChunkAgainOnce) {
  source.faults = {{.flip = kChunk + 5}};
  expect_whole(fetch());
  EXPECT_THAT(source.asked, ElementsAre(0, kChunk));

  fs::remove(file);
  progress.bytes_done = 0;
  source.faults = {{.flip = kChunk + 5}, {.flip = kChunk + 5}};
  expect_refused(fetch(), Errc::trust, "MiB 2 of 4");
}

TEST_F(BlobFetch, KeepsWhatCameRightForTheNextTry) {
  source.faults = {{.flip = kChunk + 5}, {.flip = kChunk + 5}};
  ASSERT_FALSE(fetch());
  source.asked.clear();
  progress.bytes_done = 0;
  expect_whole(fetch());
  EXPECT_THAT(source.asked, ElementsAre(kChunk));
}

TEST_F(BlobFetch, SaysHowMuchIsMissingOfATruncatedBlob) {
  source.faults = {{.after = source.blob.size() - 12}};
  expect_refused(fetch(), Errc::trust, "12 bytes short");
}

TEST_F(BlobFetch, GivesUpAfterSomeTriesWithoutAByte) {
  source.faults = {{.after = 0, .error = Error{Errc::unreachable, "500 Internal Server Error"}}};
  source.always = true;
  expect_refused(fetch(), Errc::unreachable, "500");
  EXPECT_EQ(source.asked.size(), 4U);
}

TEST_F(BlobFetch, GivesUpOnAServerThatHangsAfterAFewBytesEachTime) {
  source.faults = {{.after = 300'000, .error = Error{Errc::timeout, "no bytes for 10 s"}}};
  source.always = true;
  expect_refused(fetch(), Errc::timeout, "no bytes for 10 s (tried 4 times, 1200000 of 3146728 bytes came)");
}

TEST_F(BlobFetch, HasPatienceWithAConnectionThatBreaksOftenButGetsOn) {
  for (int cut = 0; cut < 6; ++cut) source.faults.push_back({.after = 500'000, .error = kBroken});
  const auto done = fetch_blob(source, ref, chunks, file, progress, {}, {.much = 400'000, .first_wait = std::chrono::milliseconds(1)});
  expect_whole(done);
}

TEST_F(BlobFetch, DoesNotAskAgainForWhatWillNotPass) {
  source.faults = {{.after = 0, .error = Error{Errc::not_found, "404"}}};
  expect_refused(fetch(), Errc::not_found, "404");
  EXPECT_EQ(source.asked.size(), 1U);
}

TEST_F(BlobFetch, RefusesAWholeThatIsNotWhatItsChunksSay) {
  ref.sha256 = crypto::sha256_hex("another");
  const std::string path = bundle::blob_path(ref.sha256);
  class Other : public BlobSource {
   public:
    explicit Other(const std::string& bytes) : bytes_(bytes) {}
    Result<void> read(const std::string&, std::uint64_t from, std::uint64_t, const Sink& sink, std::stop_token) override {
      return sink(std::string_view(bytes_).substr(from));
    }

   private:
    const std::string& bytes_;
  } other(source.blob);
  expect_refused(fetch_blob(other, ref, chunks, file, progress, {}), Errc::trust, "the whole is not");
  EXPECT_FALSE(fs::exists(part)) << "no other would come, so that nothing is left to go on with";
}

TEST_F(BlobFetch, RefusesAnIndexWithTheWrongNumberOfChunks) {
  chunks.pop_back();
  expect_refused(fetch(), Errc::trust, "3 chunks");
}

TEST_F(BlobFetch, StopsWhenItIsToStop) {
  std::stop_source stop;
  source.faults = {{.after = 10, .error = kBroken}};
  source.always = true;
  stop.request_stop();
  expect_refused(fetch(stop.get_token()), Errc::cancelled, "");
}

TEST_F(BlobFetch, BringsASmallBlobIntoMemoryAndFetchesAWrongOneAgainOnce) {
  const auto small = [&](std::uint64_t most) { return fetch_small_blob(source, ref, most, {}, {.first_wait = std::chrono::milliseconds(1)}); };
  source.faults = {{.after = 1000, .error = kBroken}, {.flip = 2000}};
  const auto got = small(10u << 20);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_TRUE(*got == source.blob);
  EXPECT_THAT(source.asked, ElementsAre(0, 1000, 0));

  source.faults = {{.flip = 2000}};
  source.always = true;
  const auto damaged = small(10u << 20);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, Errc::trust);
  EXPECT_EQ(small(1000).error().code, Errc::protocol);
}

}  // namespace
}  // namespace berth::fetch
