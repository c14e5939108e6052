// The same over HTTP, from a web server that is not always good.

#include <atomic>
#include <optional>

#include <fmt/core.h>

#include "core/io/raw_peer.h"
#include "daemon/fetch/blob_fetch.h"
#include "daemon/fetch/repository_fixture.h"

namespace berth::fetch {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// A web server of a folder that knows ranges. What it is to do wrong at a path it does once.
class WebServer {
 public:
  explicit WebServer(fs::path folder) : folder_(std::move(folder)), peer_([this](int connection) { answer(connection); }) {}

  std::string url() const { return fmt::format("http://127.0.0.1:{}", peer_.port()); }

  struct Fault {
    std::optional<std::size_t> cut_after{};  ///< bytes of the body, and then the end of the connection
    std::optional<std::size_t> flip{};       ///< a byte of the file
    bool ignore_range = false;
  };
  std::vector<Fault> faults;            ///< for the next requests of blobs over a MiB, one each
  std::vector<std::string> spans;       ///< the range that each request for a blob over a MiB asked for
  std::string wanted_authorization;     ///< who asks without it is told 401
  std::string broken;                   ///< paths that begin so are answered by 503
  std::vector<std::string> heads;       ///< of all requests
  std::atomic<int> asked{0};

 private:
  void answer(int connection) {
    const std::string head = io::read_head(connection);
    ++asked;
    heads.push_back(head);
    if (!broken.empty() && head.starts_with("GET " + broken)) return io::send_raw(connection, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    if (!wanted_authorization.empty() && head.find("\r\nauthorization: " + wanted_authorization + "\r\n") == std::string::npos)
      return io::send_raw(connection, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    const std::string path = head.substr(4, head.find(' ', 4) - 4);
    auto file = files::read(folder_ / path.substr(1), 100u << 20);
    if (!file) return io::send_raw(connection, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    Fault fault;
    if (file->size() > bundle::kChunk && !faults.empty()) {
      fault = faults.front();
      faults.erase(faults.begin());
    }
    if (fault.flip) (*file)[*fault.flip] ^= 1;
    send(connection, *file, from(head), fault);
  }

  std::size_t from(const std::string& head) const {
    const auto range = head.find("range: bytes=");
    return range == std::string::npos ? 0 : std::stoul(head.substr(range + 13));
  }

  void send(int connection, const std::string& file, std::size_t from, const Fault& fault) {
    if (file.size() > bundle::kChunk) spans.push_back(std::to_string(from));
    if (fault.ignore_range) from = 0;
    std::string answer = from == 0 ? fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", file.size())
                                   : fmt::format("HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n",
                                                 file.size() - from, from, file.size() - 1, file.size());
    io::send_raw(connection, answer);
    io::send_raw(connection, std::string_view(file).substr(from, fault.cut_after.value_or(file.size())));
  }

  fs::path folder_;
  io::RawPeer peer_;
};

class WebRepository : public RepositoryFixture {
 protected:
  void SetUp() override {
    if (::getuid() != 0) GTEST_SKIP() << "only root stages";
    put(app / "bin/run", "#!/bin/sh\n", 0755);
    std::string noise(3 * bundle::kChunk, '\0');
    std::uint32_t state = 1;
    for (char& byte : noise) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    put(app / "noise", noise);
    layer = publish("v1").builds.at("any").layer;
    ASSERT_GT(layer.blob.size, 2 * bundle::kChunk);
  }

  Result<Staged> stage_it() {
    auto node = node_options();
    node.url = server.url();
    return stage_as(node);
  }
  Result<Staged> stage_as(const RepositoryOptions& node) {
    Repository repository(node);
    auto resolved = repository.resolve("web", "production", "v1", {});
    if (!resolved) return std::unexpected(resolved.error());
    const fs::path staging = folder.path() / fmt::format("staging{}", ++count_);
    fs::create_directories(staging);
    Progress progress;
    return stage(repository, *resolved, staging, {.worker_program = BERTH_UNPACK_PROGRAM, .reserve_bytes = 0}, progress, [](StagePhase) {}, {});
  }

  bundle::LayerRef layer;
  WebServer server{repo};

 private:
  int count_ = 0;
};

TEST_F(WebRepository, IsStagedFrom) {
  const auto staged = stage_it();
  ASSERT_TRUE(staged) << staged.error().message;
  EXPECT_THAT(server.spans, ElementsAre("0"));
}

TEST_F(WebRepository, GoesOnWhereTheConnectionBrokeWhetherTheServerKnowsRangesOrNot) {
  server.faults = {{.cut_after = 1'600'000}};
  const auto staged = stage_it();
  ASSERT_TRUE(staged) << staged.error().message;
  EXPECT_THAT(server.spans, ElementsAre("0", "1600000"));

  server.faults = {{.cut_after = 1'600'000}, {.ignore_range = true}};
  const auto again = stage_it();
  EXPECT_TRUE(again) << again.error().message;
}

TEST_F(WebRepository, FetchesAWrongMebibyteAgain) {
  server.faults = {{.flip = bundle::kChunk + 17}};
  const auto staged = stage_it();
  ASSERT_TRUE(staged) << staged.error().message;
  EXPECT_THAT(server.spans, ElementsAre("0", std::to_string(bundle::kChunk)));
}

TEST_F(WebRepository, IsRefusedWhereABlobIsTruncatedOrGone) {
  const std::string good = *files::read(blob(layer.blob), 100u << 20);
  put(blob(layer.blob), good.substr(0, good.size() - 12));
  const auto truncated = stage_it();
  ASSERT_FALSE(truncated);
  EXPECT_EQ(truncated.error().code, Errc::trust);
  EXPECT_THAT(truncated.error().message, AllOf(HasSubstr("web/production@v1"), HasSubstr(layer.blob.sha256.substr(0, 12)), HasSubstr("12 bytes short")));
  put(blob(layer.blob), good + "more");
  EXPECT_FALSE(stage_it());
  fs::remove(blob(layer.blob));
  const auto gone = stage_it();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::trust) << "that it is withheld is no typo in a release's id";
  EXPECT_THAT(gone.error().message, AllOf(HasSubstr(server.url() + "/" + bundle::blob_path(layer.blob.sha256)), HasSubstr("404"), HasSubstr("upload all of it")));
}

TEST_F(WebRepository, ThatLacksAFileItListsIsNotOneThatLacksTheRelease) {
  auto node = node_options();
  node.url = server.url();
  publish("v2");
  std::vector<fs::path> files{repo / "metadata/timestamp.json"};
  for (const auto& entry : fs::recursive_directory_iterator(repo)) {
    const std::string name = entry.path().filename();
    if (name == "3.snapshot.json" || name == "3.targets.json" || name.ends_with(".v2.json")) files.push_back(entry.path());
  }
  ASSERT_EQ(files.size(), 4u);
  for (const fs::path& file : files) {
    const std::string name = file.filename();
    fs::rename(file, folder.path() / "withheld");
    node.trust_directory = folder.path() / ("node-" + name);  // what was read before must not stand in for it
    Repository repository(node);
    const auto resolved = repository.resolve("web", "production", "v2", {});
    ASSERT_FALSE(resolved) << name;
    EXPECT_EQ(resolved.error().code, Errc::trust) << resolved.error().message;
    EXPECT_THAT(resolved.error().message, AllOf(HasSubstr(server.url()), HasSubstr("/" + name + ": 404"), HasSubstr("compare its url")));
    EXPECT_EQ(repository.trust().refusals.at("missing"), 1u);
    EXPECT_EQ(repository.list({}).has_value(), name.ends_with(".v2.json"));
    fs::rename(folder.path() / "withheld", file);
  }
  node.trust_directory = folder.path() / "another";
  EXPECT_EQ(Repository(node).resolve("web", "production", "v9", {}).error().code, Errc::not_found);
}

TEST_F(WebRepository, IsToldWhoAsksByWhatIsLookedUpAnew) {
  auto node = node_options();
  node.url = server.url();
  server.wanted_authorization = "Bearer first";
  std::string token = "first";
  node.authorization = [&] { return Result<crypto::Secret>(crypto::Secret("Bearer " + token)); };
  EXPECT_TRUE(stage_as(node));
  server.wanted_authorization = "Bearer second";
  const auto refused = stage_as(node);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("401"), testing::Not(HasSubstr("first"))));
  token = "second";
  EXPECT_TRUE(stage_as(node));

  node.authorization = []() -> Result<crypto::Secret> { return fail(Errc::not_found, "token: open /etc/berth/token: No such file"); };
  const auto missing = stage_as(node);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::io) << "it is no release that is missing";
  EXPECT_THAT(missing.error().message, AllOf(HasSubstr("[repository] in berthd.toml"), HasSubstr("/etc/berth/token")));
}

TEST_F(WebRepository, TellsWhoAsksToItsOwnOriginAndToNoMirrorElsewhere) {
  std::string proxied;
  const io::RawPeer proxy([&](int connection) {
    proxied += io::read_head(connection);
    io::send_raw(connection, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
  });
  auto node = node_options();
  node.authorization = [] { return Result<crypto::Secret>(crypto::Secret("Bearer t0ken")); };
  node.proxy.for_http = fmt::format("http://127.0.0.1:{}", proxy.port());
  node.url = "http://127.0.0.1:1";
  node.mirrors = {"http://mirror.example", server.url()};
  const auto staged = stage_as(node);
  ASSERT_TRUE(staged) << staged.error().message << ": a mirror by plain http needs no token, and stops nobody";
  EXPECT_THAT(proxied, AllOf(HasSubstr("GET http://mirror.example/metadata/"), testing::Not(HasSubstr("t0ken"))));
  ASSERT_FALSE(server.heads.empty());
  EXPECT_THAT(server.heads, testing::Each(testing::Not(HasSubstr("t0ken")))) << "another port is another place";

  server.broken = "/moved/";
  server.wanted_authorization = "Bearer t0ken";
  node.url = server.url() + "/moved";
  node.mirrors = {server.url()};
  const auto at_home = stage_as(node);
  EXPECT_TRUE(at_home) << at_home.error().message;
}

TEST_F(WebRepository, IsReadFromAMirrorWhereItCannotBeReached) {
  auto node = node_options();
  node.url = "http://127.0.0.1:1";
  node.mirrors = {"http://127.0.0.1:2", server.url()};
  std::vector<std::string> notes;
  node.note = [&](const std::string& note) { notes.push_back(note); };
  const auto staged = stage_as(node);
  ASSERT_TRUE(staged) << staged.error().message;
  EXPECT_THAT(notes, ElementsAre(HasSubstr("http://127.0.0.1:1 is passed over"), HasSubstr("http://127.0.0.1:2 is passed over")));

  // One that is behind has the metadata, and not the blob.
  const std::string good = *files::read(blob(layer.blob), 100u << 20);
  fs::remove(blob(layer.blob));
  fs::copy(repo, folder.path() / "whole", fs::copy_options::recursive);
  put(folder.path() / "whole" / bundle::blob_path(layer.blob.sha256), good);
  node.url = server.url();
  node.mirrors = {"file://" + (folder.path() / "whole").string()};
  const auto from_other = stage_as(node);
  EXPECT_TRUE(from_other) << from_other.error().message;

  // And one that is damaged is not asked for the same again.
  put(blob(layer.blob), std::string(good.size(), 'x'));
  const auto from_whole = stage_as(node);
  EXPECT_TRUE(from_whole) << from_whole.error().message;
}

/// berthd's own patience, `times` as short; so many bytes are needed in that time as ever.
io::FetchOptions scaled(int times) {
  io::FetchOptions options = fetch_options({});
  options.stall_timeout /= times;
  options.total_timeout /= times;
  options.least_over /= times;
  options.least_bytes_per_second *= static_cast<std::uint64_t>(times);
  return options;
}

TEST(Trickling, ServersAreGivenUpAsStalledOnesAre) {
  constexpr int kTimes = 30;
  std::atomic<int> asked{0};
  // A byte comes long before its absence would be a stall, also on a busy machine.
  const auto pause = fetch_options({}).stall_timeout / 4 / kTimes;
  const io::RawPeer peer([&](int connection) {
    io::read_head(connection);
    ++asked;
    io::send_raw(connection, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
    pollfd item{.fd = connection, .events = POLLIN, .revents = 0};
    do {
      io::send_raw(connection, "x");
    } while (::poll(&item, 1, static_cast<int>(pause.count())) == 0);
  });
  const auto source = blob_source_at(fmt::format("http://127.0.0.1:{}", peer.port()), scaled(kTimes));
  ASSERT_TRUE(source);
  const bundle::BlobRef ref{.sha256 = std::string(64, 'a'), .size = 3'000'000};
  const auto before = std::chrono::steady_clock::now();
  const auto fetched = fetch_small_blob(**source, ref, 4'000'000, {}, {.first_wait = std::chrono::milliseconds(1)});
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code, Errc::timeout);
  EXPECT_THAT(fetched.error().message, AllOf(HasSubstr("are the least"), HasSubstr("tried 4 times")));
  EXPECT_EQ(asked, 4);
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_LT(took, std::chrono::milliseconds(std::chrono::minutes(10)) / kTimes) << "two minutes, and time for a busy machine; without a least rate it were hours";
}

TEST(Trickling, NoServerIsThatIsSlowAndComesOn) {
  constexpr int kTimes = 60;
  const std::string content(200'000, 'x');
  const io::RawPeer peer([&](int connection) {
    io::read_head(connection);
    io::send_raw(connection, fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.size()));
    // Twice the least rate.
    for (std::size_t at = 0; at < content.size(); at += 4096) {
      io::send_raw(connection, std::string_view(content).substr(at, 4096));
      ::poll(nullptr, 0, 4096 * 1000 / (2 * 1024 * kTimes));
    }
  });
  const auto source = blob_source_at(fmt::format("http://127.0.0.1:{}", peer.port()), scaled(kTimes));
  const auto fetched = fetch_small_blob(**source, {.sha256 = crypto::sha256_hex(content), .size = content.size()}, content.size(), {});
  ASSERT_TRUE(fetched) << fetched.error().message;
  EXPECT_EQ(*fetched, content);
}

}  // namespace
}  // namespace berth::fetch
