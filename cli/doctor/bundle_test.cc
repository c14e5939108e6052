#include <map>

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/doctor/bundle.h"
#include "cli/doctor/node_fixture.h"
#include "cli/doctor/scrub.h"

namespace berth::cli::doctor {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Scrub, SecretsGoAndTheRestStays) {
  const struct {
    const char *text, *scrubbed;
  } cases[] = {
      {"get https://ci:hunter2@r.example/x failed", "get https://(redacted)@r.example/(redacted) failed"},
      {"url = \"https://r.example/berth?sig=abc&x=1\" # it", "url = \"https://r.example/(redacted)\" # it"},
      {"https://r.example/a@b and http://[::1]:80/c", "https://r.example/(redacted) and http://[::1]:80/(redacted)"},
      {"token = \"file:/etc/berth/token\"", "token = \"file:/etc/berth/token\""},
      {"token = \"credential:repository\"", "token = \"credential:repository\""},
      {"# token = 'abc'", "# token = '(redacted)'"},
      {"password=\"command:/usr/bin/vault read s\"", "password=\"command:/usr/bin/vault (redacted)\""},
      {"password=\"command:/usr/bin/pw\"", "password=\"command:/usr/bin/pw\""},
      {"{\"token\":\"a\\\"bc\",\"x\":1}", "{\"token\":\"(redacted)\",\"x\":1}"},
      {"Password: hunter2, user: u", "Password: (redacted), user: u"},
      {"token_header = \"x-api-key\"", "token_header = \"x-api-key\""},
      {"key_file = \"/etc/berth/node.key\"", "key_file = \"/etc/berth/node.key\""},
      {"a token that is missing", "a token that is missing"},
      {"sent Bearer abcdefgh12 to it", "sent Bearer (redacted) to it"},
      {"a basic fact", "a basic fact"},
      {"Authorization: Bearer abc", "Authorization: (redacted)"},
      {"\"authorization\": \"Basic dTpw\"}", "\"authorization\": \"(redacted)\"}"},
      {"authorization=basic dTpw, next", "authorization=(redacted), next"},
      {"secret = \"\"\"\nfirst\nsecond\"\"\"\nnext = 1", "secret = \"(redacted)\"\nnext = 1"},
      {"-----BEGIN EC PRIVATE KEY-----\nMIIB\n-----END EC PRIVATE KEY-----\nrest", "-----BEGIN EC PRIVATE KEY-----(redacted)-----END EC PRIVATE KEY-----\nrest"},
      {"-----BEGIN PRIVATE KEY-----\nMIIB", "-----BEGIN PRIVATE KEY-----(redacted)"},
      {"it said planted-value here", "it said (redacted) here"},
      {"", ""},
      {"token =", "token ="},
      {"password = \"open", "password = \"(redacted)\""},
  };
  for (const auto& one : cases) EXPECT_EQ(scrub(one.text, {"planted-value", "", "ab"}), one.scrubbed);
}

TEST(Scrub, OfAnAddressSchemeHostAndPortStay) {
  const struct {
    const char *text, *scrubbed;
  } cases[] = {
      {"url = \"https://hooks.example.org/services/T0XX/B0YY/zzzTOKENzzz?token=qqqQ\"", "url = \"https://hooks.example.org/(redacted)\""},
      {"url = 'http://127.0.0.1:39010/secretpath/abc'", "url = 'http://127.0.0.1:39010/(redacted)'"},
      {"url = 'https://h.example/it\"s' # mine", "url = 'https://h.example/(redacted)' # mine"},
      {"mirrors = [\"https://a.example/x/y\", \"http://b.example/z\"]", "mirrors = [\"https://a.example/(redacted)\", \"http://b.example/(redacted)\"]"},
      {"# https://h.example?key=v, once", "# https://h.example?(redacted) once"},
      {"https://h.example#key", "https://h.example#(redacted)"},
      {"HTTPS://H.example:8443/x", "HTTPS://H.example:8443/(redacted)"},
      {"tls://logs.example.org:6514", "tls://logs.example.org:6514"},
      {"at https://h.example: refused; see <https://[fe80::1]:9/x>, (https://h.example/).", "at https://h.example: refused; see <https://[fe80::1]:9/(redacted)>, (https://h.example/)."},
      {"{\"why\":\"POST https://h.example/x\\nnext\",\"y\":1}", "{\"why\":\"POST https://h.example/(redacted)\\nnext\",\"y\":1}"},
      {"{\"a\":\"https:\\/\\/h.example\\/x\\/y\"}", "{\"a\":\"https:\\/\\/h.example\\/(redacted)\"}"},
      {"{\"a\":\"said \\\"https://h.example/x\\u0026k=v\\\" to it\"}", "{\"a\":\"said \\\"https://h.example/(redacted)\\\" to it\"}"},
      {"https://h.example/a'b", "https://h.example/(redacted)"},
      {"proxy = \"http://ci:hunter2@proxy.example:3128\"", "proxy = \"http://(redacted)@proxy.example:3128\""},
      {"proxy = \"http://ci:hun/ter2@proxy.example:3128\"", "proxy = \"http://(redacted)\""},
      {"proxy = \"ci:hunter2@proxy.example:3128\"", "proxy = \"(redacted)@proxy.example:3128\""},
      {"https_proxy=ci:hun/ter2@proxy.example:3128", "https_proxy=(redacted)"},
      {"url = \"hooks.example.org/services/zzz\"", "url = \"hooks.example.org/(redacted)\""},
      {"url = \"//hooks.example.org/services/zzz\"", "url = \"/(redacted)\""},
      {"url = \"\"\"https://hooks.example.org/\\\n  zzz\"\"\"", "url = \"(redacted)\""},
      {"url = \"credential:chat-url\"", "url = \"credential:chat-url\""},
      {"url = \"command:/usr/bin/vault read zzz\"", "url = \"command:/usr/bin/vault (redacted)\""},
      {"url = \"file:///srv/berth\"", "url = \"file:///srv/berth\""},
      {"file:///srv/berth?sig=abc", "file:///(redacted)"},
      {"postgres://u:p@db.example/name?sslmode=require", "postgres://(redacted)@db.example/(redacted)"},
      {"[[webhook]] a: url: it names no host", "[[webhook]] a: url: it names no host"},
      {"give http:// or https:// with a host", "give http:// or https:// with a host"},
  };
  for (const auto& one : cases) {
    const std::string scrubbed = scrub(one.text, {});
    EXPECT_EQ(scrubbed, one.scrubbed);
    EXPECT_EQ(scrub(scrubbed, {}), scrubbed) << "what was scrubbed once stays as it is";
  }
}

class Bundle : public NodeFixture {
 protected:
  /// What is in an archive, by name.
  static std::map<std::string, std::string> unpacked(const fs::path& file) {
    std::map<std::string, std::string> all;
    archive* reader = ::archive_read_new();
    ::archive_read_support_format_tar(reader);
    ::archive_read_support_filter_all(reader);
    EXPECT_EQ(::archive_read_open_filename(reader, file.c_str(), 10240), ARCHIVE_OK) << ::archive_error_string(reader);
    archive_entry* entry = nullptr;
    while (::archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
      std::string content(static_cast<std::size_t>(::archive_entry_size(entry)), '\0');
      EXPECT_EQ(::archive_read_data(reader, content.data(), content.size()), static_cast<la_ssize_t>(content.size()));
      EXPECT_EQ(::archive_entry_perm(entry), 0600u);
      all[::archive_entry_pathname(entry)] = content;
    }
    ::archive_read_free(reader);
    return all;
  }
};

TEST_F(Bundle, HasWhatHelpsAndNoSecretOfTheNode) {
  constexpr const char* secret = "planted-in-many-places";
  put(folder.path() / "token", std::string(secret) + "\n", 0600);
  put(folder.path() / "root.json", "{}");
  configure(fmt::format("# {1} was the old one, https://u:{1}@r.example?key={1}\n[repository]\nurl = \"https://r.example\"\nroot = \"{0}/root.json\"\ntoken = \"file:{0}/token\"\n", folder.path().string(), secret));
  subject.status = json::object{{"version", "1.0"}, {"since", "T"}, {"repository", {{"last_error", fmt::format("https://u:{}@r.example refused", secret)}}}};
  put(subject.paths.events(), fmt::format("{{\"number\":1,\"data\":{{\"why\":\"{}\"}}}}\n", secret));
  put(folder.path() / "berthd.log", fmt::format("sent {} there\n", secret));
  const auto members = bundle_members(subject, fmt::format("{{\"seen\": \"{}\"}}", secret), folder.path() / "berthd.log");
  for (const char* ending : {".tar.zst", ".tar.gz"}) {
    const fs::path file = folder.path() / (std::string("edge-1") + ending);
    const auto written = write_bundle(file, members, subject.now);
    ASSERT_TRUE(written) << written.error().message;
    struct stat about{};
    ASSERT_EQ(::stat(file.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0600u);
    const auto found = unpacked(file);
    std::vector<std::string> names;
    for (const auto& [name, content] : found) {
      names.push_back(name);
      EXPECT_THAT(content, Not(HasSubstr(secret))) << name;
      EXPECT_NE(content, "") << name;
    }
    EXPECT_THAT(names, testing::ElementsAre("edge-1/berthd.log", "edge-1/berthd.toml", "edge-1/doctor.json", "edge-1/events.log", "edge-1/status.json", "edge-1/versions.txt"));
    EXPECT_THAT(found.at("edge-1/berthd.toml"), HasSubstr(fmt::format("token = \"file:{}/token\"", folder.path().string())));
    EXPECT_THAT(found.at("edge-1/berthd.log"), HasSubstr("sent (redacted) there"));
  }
}

TEST_F(Bundle, HasNoPathOfAnAddressEvenWhereItStandsAlone) {
  const char* secrets[] = {"/services/T0XX/B0YY/zzz2026TOKENzzz2026", "zzz2026TOKENzzz2026", "hunter2", "/api/push/qqq"};
  put(folder.path() / "hook", fmt::format("https://chat.example{}\n", secrets[0]), 0600);
  configure(fmt::format("# once http://ci:{}@proxy.example:3128\n[[webhook]]\nname = \"chat\"\nurl = \"file:{}/hook\"\n[[webhook]]\nname = \"own\"\nurl = \"https://incidents.example{}\"\n", secrets[2],
                        folder.path().string(), secrets[3]));
  std::string log = "password = \"file:/etc/berth/password\" for https://incidents.example\n";
  for (const char* secret : secrets) log += fmt::format("404 not found: {}\n", secret);
  put(folder.path() / "berthd.log", log);
  for (const Member& member : bundle_members(subject, "{}", folder.path() / "berthd.log"))
    for (const char* secret : secrets) EXPECT_THAT(member.content, Not(HasSubstr(secret))) << member.name;
  const std::string kept = bundle_members(subject, "{}", folder.path() / "berthd.log").back().content;
  EXPECT_THAT(kept, HasSubstr("password = \"file:/etc/berth/password\" for https://incidents.example\n"));
}

TEST_F(Bundle, AConfigurationThatIsWrongTellsItsSecretsToo) {
  put(folder.path() / "token", "planted-in-the-log", 0600);
  put(subject.config_file, fmt::format("[nonsense\ntoken = 'file:{}/token'\n", folder.path().string()));
  subject.config.reset();
  put(folder.path() / "berthd.log", "sent planted-in-the-log there\n");
  EXPECT_EQ(bundle_members(subject, "{}", folder.path() / "berthd.log").back().content, "sent (redacted) there\n");
}

TEST_F(Bundle, HasTheFilesOfConfDAndNoSecretThatTheyName) {
  put(folder.path() / "token", "planted-beside-it", 0600);
  put(folder.path() / "conf.d/10-repository.toml", fmt::format("# planted-beside-it\n[repository]\nurl = \"https://r.example\"\nroot = \"/r\"\ntoken = \"file:{}/token\"\n", folder.path().string()));
  put(folder.path() / "conf.d/20-labels.toml", "[labels]\nnote = \"planted-beside-it\"\n");
  put(folder.path() / "conf.d/20-labels.toml~", "[labels]\n");
  configure("");
  put(folder.path() / "berthd.log", "sent planted-beside-it there\n");
  std::map<std::string, std::string> found;
  for (const Member& one : bundle_members(subject, "{}", folder.path() / "berthd.log")) found[one.name] = one.content;
  ASSERT_EQ(found.size(), 8u);
  EXPECT_THAT(found.at("conf.d/10-repository.toml"), testing::StartsWith("# (redacted)\n[repository]\n"));
  EXPECT_EQ(found.at("conf.d/20-labels.toml"), "[labels]\nnote = \"(redacted)\"\n");
  EXPECT_EQ(found.at("berthd.log"), "sent (redacted) there\n");
}

TEST_F(Bundle, OfALongLogHasTheLastWholeLines) {
  std::string log;
  for (int i = 0; i < 300'000; ++i) log += fmt::format("line {}\n", i);
  put(folder.path() / "berthd.log", log);
  const auto members = bundle_members(subject, "{}", folder.path() / "berthd.log");
  const std::string& kept = members.back().content;
  EXPECT_LE(kept.size(), 2u << 20);
  EXPECT_GT(kept.size(), 1u << 20);
  EXPECT_TRUE(kept.starts_with("line ")) << kept.substr(0, 20);
  EXPECT_TRUE(kept.ends_with("line 299999\n"));
}

TEST_F(Bundle, ReplacesNothingAndTakesNoOtherName) {
  put(folder.path() / "there.tar.gz", "kept");
  EXPECT_EQ(write_bundle(folder.path() / "there.tar.gz", {}, subject.now).error().code, Errc::exists);
  EXPECT_EQ(files::read(folder.path() / "there.tar.gz", 10).value(), "kept");
  for (const char* name : {"x.zip", "x.tar", ".tar.gz", "x.tar.zst/"}) EXPECT_EQ(write_bundle(folder.path() / name, {}, subject.now).error().code, Errc::usage) << name;
}

TEST_F(Bundle, WhatCannotBeWrittenIsToldBeforeAnythingIsLookedAt) {
  const fs::path there = folder.path() / "there.tar.gz", free = folder.path() / "free.tar.gz", log = folder.path() / "berthd.log";
  put(there, "kept");
  put(log, "line\n");
  EXPECT_TRUE(check_bundle(free, "", true));
  EXPECT_TRUE(check_bundle(free, log, true));
  const struct {
    fs::path file, log;
    bool is_root;
    Errc code;
    const char* said;
  } cases[] = {{there, "", true, Errc::exists, "it is there already, and is not replaced: name another file"},
               {folder.path() / "no/free.tar.gz", "", true, Errc::not_found, "/no: make it, or name another file"},
               {free, folder.path() / "nolog", true, Errc::not_found, "nolog: No such file or directory: name the file that berthd's log goes to"},
               {free, folder.path(), true, Errc::usage, "is a folder: name the file"},
               {free, "", false, Errc::permission, "--bundle is for root"},
               {folder.path() / "x.zip", "", false, Errc::usage, "give a name that ends with .tar.zst or .tar.gz"}};
  for (const auto& one : cases) {
    const auto refused = check_bundle(one.file, one.log, one.is_root);
    ASSERT_FALSE(refused) << one.said;
    EXPECT_EQ(refused.error().code, one.code) << refused.error().message;
    EXPECT_THAT(refused.error().message, testing::AllOf(testing::StartsWith("berth doctor: --"), HasSubstr(one.said), Not(HasSubstr("\n"))));
  }
}

}  // namespace
}  // namespace berth::cli::doctor
