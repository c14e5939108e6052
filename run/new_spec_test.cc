#include "run/new_spec.h"

#include <fstream>

#include <gmock/gmock.h>

#include "core/files/files.h"
#include "core/spec/app_spec.h"

namespace berth::run {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class NewSpecTest : public testing::Test {
 protected:
  NewSpecTest() : tree(folder.path() / "My_Shop") { fs::create_directories(tree); }
  void put(const std::string& path, const std::string& text, bool executable = false) {
    fs::create_directories((tree / path).parent_path());
    std::ofstream(tree / path) << text;
    if (executable) fs::permissions(tree / path, fs::perms(0755));
  }
  std::string written() const {
    const auto text = files::read(tree / "berth.toml", 1u << 20);
    return text ? *text : std::string();
  }
  /// What the spec's own parser reads of it.
  spec::AppSpec made(const std::vector<std::string>& command = {}) {
    const auto fresh = make_new_spec(tree, command);
    EXPECT_TRUE(fresh) << fresh.error().message;
    if (fresh) notes = fresh->guess.notes;
    const auto spec = spec::parse_toml(written(), "berth.toml");
    EXPECT_TRUE(spec) << spec.error().message << "\n" << written();
    return spec ? *spec : spec::AppSpec();
  }
  const std::vector<std::string>& command_of(const spec::AppSpec& spec, const std::string& process = "web") {
    static const std::vector<std::string> none;
    const auto found = spec.processes.find(process);
    return found == spec.processes.end() ? none : found->second.command;
  }

  files::TemporaryDirectory folder;
  fs::path tree;
  std::vector<std::string> notes;
};

TEST_F(NewSpecTest, OfNodeItIsTheStartScriptWithoutNpmBetween) {
  put("package.json", R"({"name": "@acme/Web.Shop", "scripts": {"start": "node server.js", "build": "tsc"}, "version": "1.0.0", "n": 1.5, "dependencies": {"express": "4"}})");
  const auto spec = made();
  EXPECT_EQ(spec.app, "web-shop");
  EXPECT_THAT(command_of(spec), ElementsAre("node", "server.js"));
  EXPECT_EQ(spec.processes.at("web").public_port, 3000);
  EXPECT_EQ(spec.variables.at("NODE_ENV").preset, "production");
  EXPECT_THAT(notes, AllOf(Contains(HasSubstr("npm install")), Contains(HasSubstr("build script"))));
}

TEST_F(NewSpecTest, OfNodeWhatNeedsAShellOrAToolThatIsNotThereIsNpms) {
  const std::pair<const char*, std::vector<std::string>> table[] = {
      {"NODE_ENV=production node server.js", {"npm", "run", "--silent", "start"}},
      {"next start -p $PORT", {"npm", "run", "--silent", "start"}},
      {"vite preview --port $PORT", {"node_modules/.bin/vite", "preview", "--port", "${PORT}"}},
  };
  put("node_modules/.bin/vite", "#!/bin/sh\n", true);
  for (const auto& [script, command] : table) {
    put("package.json", std::string(R"({"scripts": {"start": ")") + script + "\"}}");
    fs::remove(tree / "berth.toml");
    EXPECT_EQ(command_of(made()), command) << script;
  }
  put("package.json", R"({"main": "lib/index.js"})");
  fs::remove(tree / "berth.toml");
  EXPECT_THAT(command_of(made()), ElementsAre("node", "lib/index.js"));
  EXPECT_THAT(notes, ElementsAre(HasSubstr("lib/index.js is not there"))) << "and nothing is to be installed";
  put("lib/index.js", "");
  fs::remove(tree / "berth.toml");
  made();
  EXPECT_THAT(notes, IsEmpty());
  put("package.json", "{");
  fs::remove(tree / "berth.toml");
  EXPECT_THAT(make_new_spec(tree, {}).error().message, HasSubstr("package.json"));
}

TEST_F(NewSpecTest, OfPythonItIsTheServerOfItsFramework) {
  const struct {
    std::vector<std::pair<const char*, const char*>> files;
    std::vector<std::string> command;
    const char* process;
  } table[] = {
      {{{"requirements.txt", "fastapi\nuvicorn\n"}, {"main.py", "import fastapi\napi: fastapi.FastAPI = fastapi.FastAPI(title='x')\n"}},
       {"python3", "-m", "uvicorn", "--host", "0.0.0.0", "--port", "${PORT}", "main:api"}, "web"},
      {{{"requirements.txt", "Flask\nGunicorn==20\n"}, {"app/__init__.py", "from flask import Flask\n\napplication = Flask(__name__)\n"}},
       {"python3", "-m", "gunicorn", "--bind", "0.0.0.0:${PORT}", "app:application"}, "web"},
      {{{"app.py", "app = Flask(__name__)\n"}}, {"python3", "-m", "flask", "--app", "app:app", "run", "--host", "0.0.0.0", "--port", "${PORT}"}, "web"},
      {{{"pyproject.toml", "dependencies = ['gunicorn']\n"}, {"manage.py", ""}, {"shop/wsgi.py", ""}},
       {"python3", "-m", "gunicorn", "--bind", "0.0.0.0:${PORT}", "shop.wsgi"}, "web"},
      {{{"manage.py", ""}}, {"python3", "manage.py", "runserver", "--noreload", "0.0.0.0:${PORT}"}, "web"},
      {{{"server.py", "port = int(os.environ['PORT'])\n"}}, {"python3", "server.py"}, "web"},
      {{{"main.py", "  app = Flask(x)\n# app = FastAPI()\nprint(1)\n"}}, {"python3", "main.py"}, "main"},
  };
  for (const auto& row : table) {
    fs::remove_all(tree);
    for (const auto& [path, text] : row.files) put(path, text);
    const auto spec = made();
    EXPECT_EQ(command_of(spec, row.process), row.command) << row.command.back();
    EXPECT_EQ(spec.app, "my-shop");
    EXPECT_EQ(spec.processes.begin()->second.public_port != 0, std::string(row.process) == "web");
  }
}

TEST_F(NewSpecTest, OfAProcfileThatBindsALoopbackAddressAWarning) {
  for (const char* command : {"gunicorn -b 127.0.0.1:$PORT app", "server --bind 127.0.0.1 --port $PORT", "server --host=localhost -p ${PORT}"}) {
    put("Procfile", std::string("web: ") + command + "\n");
    fs::remove(tree / "berth.toml");
    made();
    EXPECT_THAT(notes, ElementsAre(HasSubstr("the Procfile's web is told a loopback address"))) << command;
  }
  put("Procfile", "web: server --db postgres://127.0.0.1:5432/x -p $PORT\nworker: work --host localhost\n");
  fs::remove(tree / "berth.toml");
  made();
  EXPECT_THAT(notes, IsEmpty());
}

TEST_F(NewSpecTest, OfAProcfileEachProcessAndTheReleasePhaseAsAHook) {
  put("Procfile", "release: bin/migrate\nweb: bundle exec puma -p $PORT\nback_ground: cd jobs && ./run \"a b\"\n");
  put("package.json", "{}");
  const auto spec = made();
  EXPECT_THAT(command_of(spec), ElementsAre("bundle", "exec", "puma", "-p", "${PORT}"));
  EXPECT_EQ(spec.processes.at("web").public_port, 8080);
  EXPECT_THAT(command_of(spec, "back-ground"), ElementsAre("/bin/sh", "-c", "cd jobs && ./run \"a b\""));
  EXPECT_EQ(spec.processes.at("back-ground").routing, spec::Routing::none);
  EXPECT_THAT(spec.hooks.at("pre-start").command, ElementsAre("bin/migrate"));
}

TEST_F(NewSpecTest, OfGoAndOtherProgramsTheBinary) {
  put("go.mod", "module example.org/acme/api\n\ngo 1.22\n");
  EXPECT_THAT(command_of(made()), ElementsAre("bin/api"));
  EXPECT_THAT(notes, Contains(HasSubstr("go build -o bin/api .")));
  fs::remove(tree / "berth.toml");
  fs::create_directories(tree / "bin");
  fs::copy_file("/proc/self/exe", tree / "bin/api");
  fs::copy_file("/proc/self/exe", tree / "bin/aaa");
  EXPECT_THAT(command_of(made()), ElementsAre("bin/api"));
  EXPECT_THAT(notes, IsEmpty());
  fs::remove(tree / "berth.toml");
  fs::remove(tree / "go.mod");
  EXPECT_THAT(command_of(made()), ElementsAre("bin/aaa"));
  EXPECT_THAT(notes, Contains(HasSubstr("aaa, api")));
}

TEST_F(NewSpecTest, OfStaticPagesAWebServer) {
  put("public/index.html", "<p>");
  EXPECT_THAT(command_of(made()), ElementsAre("python3", "-m", "http.server", "--directory", "public", "${PORT}"));
  EXPECT_THAT(notes, IsEmpty());
  put("index.html", "<p>");
  put(".env", "TOKEN=x\n");
  fs::remove(tree / "berth.toml");
  made();
  EXPECT_THAT(notes, Contains(HasSubstr("berth.toml and .env"))) << "they would be served";
}

TEST_F(NewSpecTest, OfACommandThatIsSaidJustThat) {
  put("package.json", "{}");
  const auto spec = made({"bin/x", "--port=${PORT}", "a \"quoted\" \\ word"});
  EXPECT_THAT(command_of(spec), ElementsAre("bin/x", "--port=${PORT}", "a \"quoted\" \\ word"));
  EXPECT_EQ(spec.processes.at("web").public_port, 8080);
}

TEST_F(NewSpecTest, DeclaresWhatDotenvNamesAndTellsNoValue) {
  put("index.html", "");
  put(".env", "DATABASE_URL=postgres://u:hunter2@h/d\nLEVEL=verbose-one\nPORT=1\nHOME=/x\n");
  const auto spec = made();
  EXPECT_TRUE(spec.variables.at("DATABASE_URL").secret);
  EXPECT_TRUE(spec.variables.at("LEVEL").required);
  EXPECT_FALSE(spec.variables.at("LEVEL").secret);
  EXPECT_EQ(spec.variables.size(), 2u);
  EXPECT_THAT(written(), AllOf(Not(HasSubstr("hunter2")), Not(HasSubstr("verbose-one"))));
}

TEST_F(NewSpecTest, ReplacesNothingAndSaysWhereNothingIsKnown) {
  const auto empty = make_new_spec(tree, {});
  EXPECT_EQ(empty.error().code, Errc::usage);
  EXPECT_THAT(empty.error().message, AllOf(HasSubstr("found no Procfile"), HasSubstr("-- COMMAND")));
  EXPECT_EQ(make_new_spec(tree / "none", {}).error().code, Errc::not_found);
  put("index.html", "");
  put("berth.toml", "mine");
  EXPECT_EQ(make_new_spec(tree, {}).error().code, Errc::exists);
  EXPECT_EQ(written(), "mine");
  fs::remove(tree / "berth.toml");
  fs::create_symlink("/nowhere", tree / "berth.toml");
  EXPECT_EQ(make_new_spec(tree, {}).error().code, Errc::exists) << "a link that leads nowhere is there, too";
}

}  // namespace
}  // namespace berth::run
