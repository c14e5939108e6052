#include <fstream>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "daemon/api/routes.h"

namespace berth::api {
namespace {

/// "get /v1/status" of each operation of the document: paths stand two blanks deep in it, and their methods four.
std::set<std::string> documented() {
  std::ifstream file(BERTH_SOURCE "/docs/openapi.yaml");
  std::set<std::string> found;
  std::string path;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("  /")) path = line.substr(2, line.size() - 3);
    for (const std::string method : {"get", "post", "delete", "put", "patch"})
      if (line == "    " + method + ":") found.insert(method + " " + path);
  }
  return found;
}

TEST(Contract, HasEveryRouteAndNoOther) {
  std::set<std::string> there;
  for (const Route& route : routes()) {
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    there.insert(method + " " + std::string(route.pattern));
  }
  EXPECT_EQ(documented(), there) << "docs/openapi.yaml";
}

}  // namespace
}  // namespace berth::api
