#include "run/parity.h"

#include <fstream>

#include <gmock/gmock.h>

#include "core/files/files.h"

namespace berth::run {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class ParityTest : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    fs::create_directories((folder.path() / path).parent_path());
    std::ofstream(folder.path() / path) << text;
  }
  std::vector<std::string> lines() {
    const auto dev = publish::read_environment(folder.path(), "dev"), production = publish::read_environment(folder.path(), "production");
    EXPECT_TRUE(dev && production);
    const auto found = differences(spec, *dev, *production);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : std::vector<std::string>();
  }

  files::TemporaryDirectory folder;
  spec::AppSpec spec;
};

TEST_F(ParityTest, TellsEachVariableAndFileThatIsNotAlikeAndNoSecret) {
  spec.variables["LEVEL"].preset = "info";
  put("dev/env.toml", "HOST = \"localhost\"\nSAME = \"1\"\nONLY = \"here\"\n[secrets]\nTOKEN = \"file:/a\"\nKEY = \"env:KEY\"\n");
  put("production/env.toml", "HOST = \"db.internal\"\nSAME = \"1\"\nLEVEL = \"warn\"\nKEY = \"text\"\n[secrets]\nTOKEN = \"file:/b\"\n");
  put("dev/files/a.conf", "1");
  put("production/files/a.conf", "2");
  put("dev/files/b.conf", "1");
  put("production/files/b.conf", "1");
  put("production/files/sub/c.conf", "1");
  EXPECT_THAT(lines(), ElementsAre("HOST: \"localhost\" in dev, \"db.internal\" in production", "KEY: a secret in dev, \"text\" in production",
                                   "LEVEL: \"info\" by default in dev, \"warn\" in production", "ONLY: \"here\" in dev, nothing in production", "files/a.conf: another one in production",
                                   "files/sub/c.conf: in production alone"));
}

TEST_F(ParityTest, AlikeEnvironmentsDoNotDiffer) {
  for (const char* name : {"dev", "production"}) put(std::string(name) + "/env.toml", "A = \"1\"\n");
  EXPECT_THAT(lines(), IsEmpty());
}

}  // namespace
}  // namespace berth::run
