#include "daemon/config/sources.h"

#include <fstream>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "core/files/files.h"
#include "daemon/config/config.h"
#include "daemon/config/section.h"
#include "daemon/config/show.h"

namespace berth::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StrEq;

class Sources : public testing::Test {
 protected:
  Sources() { fs::create_directories(folder.path() / "conf.d"); }

  void put(const std::string& name, const std::string& text) { std::ofstream(folder.path() / name) << text; }
  fs::path main() const { return folder.path() / "berthd.toml"; }
  /// What is wrong, with names from the folder on.
  std::string complaint() const {
    const auto config = load(main(), kinds);
    if (config) return "(none)";
    EXPECT_EQ(config.error().code, Errc::usage);
    std::string said = config.error().message;
    for (std::size_t at = said.find(folder.path().string() + "/"); at != std::string::npos; at = said.find(folder.path().string() + "/")) said.erase(at, folder.path().string().size() + 1);
    return said;
  }

  files::TemporaryDirectory folder;
  std::vector<SinkKind> kinds{{"file", [](Section& section) { return std::any(section.string("path", {})); }}};
};

TEST_F(Sources, AreReadByNameAfterTheFile) {
  put("berthd.toml", "environment = \"qa\"\n[labels]\nrack = \"r7\"\nrow = \"1\"\n[[sink]]\nname = \"a\"\nkind = \"file\"\n");
  put("conf.d/20-last.toml", "node = \"edge-2\"\n[labels]\nroom = \"b\"\n[store]\nkeep_releases = 20\n[[sink]]\nname = \"c\"\nkind = \"file\"\n");
  put("conf.d/10-first.toml", "node = \"edge-1\"\n[store]\nkeep_releases = 10\nreserve = \"1MB\"\n[[sink]]\nname = \"b\"\nkind = \"file\"\n");
  put("conf.d/9-behind-both.toml", "[labels]\nrow = \"2\"\n");
  const auto config = load(main(), kinds);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->node, "edge-2");
  EXPECT_EQ(config->environment, "qa");
  EXPECT_EQ(config->keep_releases, 20);
  EXPECT_EQ(config->reserve, 1'000'000u) << "what a later file does not say stays";
  EXPECT_EQ(config->labels, (std::map<std::string, std::string>{{"rack", "r7"}, {"row", "2"}, {"room", "b"}}));
  std::vector<std::string> sinks;
  for (const Sink& sink : config->sinks) sinks.push_back(sink.name);
  EXPECT_THAT(sinks, ElementsAre("a", "b", "c"));
  EXPECT_THAT(config->files, ElementsAre(main(), folder.path() / "conf.d/10-first.toml", folder.path() / "conf.d/20-last.toml", folder.path() / "conf.d/9-behind-both.toml"));
  EXPECT_EQ(text_of(config->files), main().string() + " and 3 files of conf.d");
}

TEST_F(Sources, MayAddToAListOfTheFileOrBeginIt) {
  put("berthd.toml", "environment = \"qa\"\n[api]\nlisten = \"[::]:9465\"\ncertificate_file = \"/a\"\nkey_file = \"/b\"\nclient_ca_file = \"/c\"\n[repository]\nurl = \"https://r.example\"\nroot = \"/r\"\nmirrors = [\"https://a.example\"]\n");
  put("conf.d/ci.toml", "[[api.client]]\nname = \"ci.example.org\"\nrole = \"deployer\"\n[[follow]]\napp = \"web\"\nchannel = \"stable\"\n[repository]\nmirrors = [\"https://b.example\"]\n");
  put("conf.d/ops.toml", "[[api.client]]\nname = \"alice@example.org\"\nrole = \"operator\"\n");
  const auto config = load(main());
  ASSERT_TRUE(config) << config.error().message;
  ASSERT_EQ(config->clients.size(), 2u);
  EXPECT_EQ(config->clients[1].name, "alice@example.org");
  EXPECT_EQ(config->follow.at(0).app, "web");
  EXPECT_THAT(config->repository.mirrors, ElementsAre("https://b.example")) << "a list of strings is a value like another";
  const auto access = load_repository(main());
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_THAT(access->repository.mirrors, ElementsAre("https://b.example"));
}

TEST_F(Sources, TheFolderMayBeMissing) {
  put("berthd.toml", "environment = \"qa\"\n");
  fs::remove(folder.path() / "conf.d");
  EXPECT_EQ(complaint(), "(none)");
  EXPECT_THAT(*files_of(main()), ElementsAre(main()));
  EXPECT_EQ(text_of(*files_of(main())), main().string());
}

TEST_F(Sources, OfEditorsAndPackagersDoNotCount) {
  put("berthd.toml", "environment = \"qa\"\n");
  for (const char* name : {".hidden.toml", ".#x.toml", "#x.toml#", "x.toml~", "x.toml.bak", "x.toml.dpkg-old", "x.toml.swp", "x.conf", "README", "toml"}) put(std::string("conf.d/") + name, "nonsense");
  fs::create_directory(folder.path() / "conf.d/more");
  EXPECT_EQ(complaint(), "(none)");
  EXPECT_EQ(files_of(main())->size(), 1u);
}

TEST_F(Sources, EachComplaintHasItsFile) {
  put("berthd.toml", "environment = \"qa\"\nwhatever = 1\n[store]\nkeep_releases = -1\n");
  put("conf.d/a.toml", "\n[store]\nkep_releases = 3\n");
  put("conf.d/b.toml", "[[follow]]\nchannel = \"stable\"\n[metrix]\n[log]\nlevel = \"loud\"\n");
  EXPECT_THAT(complaint(), AllOf(testing::StartsWith("berthd.toml:2:1: unknown key 'whatever'\nberthd.toml:4:17: 'keep_releases' is not a whole number from 0 to 1000\nconf.d/a.toml:3:1: unknown key 'kep_releases' in [store] (did you mean 'keep_releases'?)\n"),
                                 HasSubstr("\nconf.d/b.toml:1:1: [[follow]] has no 'app'"), HasSubstr("\nconf.d/b.toml:3:2: unknown table 'metrix' (did you mean 'metrics'?)\nconf.d/b.toml:5:9: level: 'loud' is none of")));
}

TEST_F(Sources, EachThatIsNoTomlIsNamed) {
  put("berthd.toml", "environment = \n");
  put("conf.d/a.toml", "[store]\nkeep_releases = 3\n");
  put("conf.d/b.toml", "[store]\nkeep_releases = 3\nkeep_releases = 4\n");
  EXPECT_THAT(complaint(), AllOf(testing::StartsWith("berthd.toml:1:"), HasSubstr("\nconf.d/b.toml:3:"), testing::Not(HasSubstr("a.toml"))));
}

TEST_F(Sources, WhatIsMissingIsMissingInTheFileItself) {
  put("berthd.toml", "");
  put("conf.d/a.toml", "node = \"edge-1\"\n");
  EXPECT_THAT(complaint(), testing::StartsWith("berthd.toml: 'environment' is missing"));
  put("conf.d/a.toml", "node = \"edge-1\"\nenvironment = \"qa\"\n");
  EXPECT_EQ(complaint(), "(none)");
}

TEST_F(Sources, WhatStandsInListsOfTwoFilesIsComparedToo) {
  put("berthd.toml", "environment = \"qa\"\n[[sink]]\nname = \"a\"\nkind = \"file\"\n");
  put("conf.d/a.toml", "[[sink]]\nname = \"a\"\nkind = \"file\"\n");
  EXPECT_THAT(complaint(), StrEq("conf.d/a.toml:2:8: name: there are two sinks 'a', the other one is at berthd.toml:2:1"));
}

TEST_F(Sources, WhatIsOfAnotherKindIsNotPutTogether) {
  put("berthd.toml", "environment = \"qa\"\n[store]\nkeep_releases = 3\n[[sink]]\nname = \"a\"\nkind = \"file\"\n");
  for (const char* text : {"store = 3\n", "[[store]]\n", "sink = []\n", "sink = \"x\"\n", "[sink]\nname = \"b\"\n"}) {
    put("conf.d/a.toml", text);
    EXPECT_THAT(complaint(), AllOf(testing::StartsWith("conf.d/a.toml:1:"), HasSubstr("is something else in berthd.toml:"))) << text;
  }
  put("conf.d/a.toml", "[labels]\nrack = \"r7\"\n");
  put("conf.d/b.toml", "[labels.rack]\nx = 1\n");
  EXPECT_THAT(complaint(), HasSubstr("conf.d/b.toml:1:1: 'rack' of [labels] is something else in conf.d/a.toml:2:8"));
}

TEST_F(Sources, WhatCannotBeReadIsRefused) {
  put("berthd.toml", "environment = \"qa\"\n");
  fs::create_directory(folder.path() / "conf.d/a.toml");
  EXPECT_THAT(complaint(), StrEq("the configuration cannot be read: conf.d/a.toml is no file"));
  fs::remove(folder.path() / "conf.d/a.toml");
  ASSERT_EQ(::mkfifo((folder.path() / "conf.d/a.toml").c_str(), 0600), 0);
  EXPECT_THAT(complaint(), HasSubstr("conf.d/a.toml is no file")) << "it would wait for a writer";
  fs::remove(folder.path() / "conf.d/a.toml");
  fs::create_symlink("nowhere", folder.path() / "conf.d/a.toml");
  EXPECT_THAT(complaint(), HasSubstr("conf.d/a.toml: No such file"));
  fs::remove(folder.path() / "conf.d/a.toml");
  for (int i = 0; i < 101; ++i) put(fmt::format("conf.d/{}.toml", i), "");
  EXPECT_THAT(complaint(), HasSubstr("conf.d has 101 files, 100 at most"));
  fs::remove_all(folder.path() / "conf.d");
  put("conf.d", "");
  EXPECT_THAT(complaint(), HasSubstr("conf.d: Not a directory"));
  fs::remove(folder.path() / "conf.d");
  fs::create_symlink("nowhere", folder.path() / "conf.d");
  EXPECT_THAT(complaint(), HasSubstr("conf.d: No such file"));
}

TEST_F(Sources, AreShownWithFileAndLineFromTheirFolder) {
  put("berthd.toml", "environment = \"qa\"\n[store]\nkeep_releases = 5\n");
  put("conf.d/10-a.toml", "[store]\nkeep_releases = 7\n[labels]\nrack = \"r7\"\n");
  put("conf.d/20-b.toml", "\n\n[store]\nkeep_releases = 9\n");
  const auto shown = show(main(), kinds);
  ASSERT_TRUE(shown) << shown.error().message;
  EXPECT_THAT(*shown, testing::StartsWith("# " + main().string() + " and 2 files of conf.d, as berthd"));
  for (const char* line : {"\nenvironment = \"qa\" +# berthd.toml:1\n", "\nkeep_releases = 9 +# conf.d/20-b.toml:4, over conf.d/10-a.toml:2\n", "\nrack = \"r7\" +# conf.d/10-a.toml:4\n", "\nreserve = \"256MB\" +# default\n"})
    EXPECT_THAT(*shown, testing::ContainsRegex(line));
}

TEST(Overrides, TellWhereAValueDiffers) {
  const std::vector<Source> sources{{.name = "a", .text = "environment = \"qa\"\nnode = \"x\"\n[store]\nkeep_releases = 3\n"}, {.name = "b", .text = "environment = \"qa\"\nnode = \"y\"\n[store]\nkeep_releases = 4\n"}};
  EXPECT_THAT(overrides(sources), ElementsAre("b:2:8: 'node' counts over a:2:8", "b:4:17: 'keep_releases' of [store] counts over a:4:17"));
  EXPECT_THAT(overrides({sources[0]}), IsEmpty());
}

}  // namespace
}  // namespace berth::config
