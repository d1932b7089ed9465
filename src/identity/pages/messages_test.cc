#include "identity/pages/messages.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace gatehouse::identity {
namespace {

std::multiset<std::string> places_in(std::string_view text) {
  std::multiset<std::string> found;
  const std::string copy(text);
  static const std::regex place(R"(\{(\w+)\})");
  for (std::sregex_iterator i(copy.begin(), copy.end(), place), end; i != end; ++i) found.insert((*i)[1]);
  return found;
}

TEST(Messages, HaveTheSamePlacesInEveryLanguage) {
  for (std::size_t i = 0; i < message_count(); ++i) {
    const auto message = static_cast<Message>(i);
    const std::string_view english = text_of(message, Language::english), german = text_of(message, Language::german);
    EXPECT_EQ(places_in(english), places_in(german)) << key_of(message);
    EXPECT_FALSE(english.empty() || german.empty()) << key_of(message);
  }
}

TEST(Messages, AreAllUsed) {
  std::set<std::string, std::less<>> used;
  for (const auto& entry : std::filesystem::directory_iterator(GATEHOUSE_SOURCE_DIR "/src/identity/pages")) {
    const std::string path = entry.path().string();
    if (!path.ends_with(".cc") || path.ends_with("_test.cc")) continue;
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    const std::string source = text.str();
    constexpr std::string_view kName = "Message::";
    for (auto at = source.find(kName); at != std::string::npos; at = source.find(kName, at)) {
      at += kName.size();
      used.insert(source.substr(at, source.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789", at) - at));
    }
  }
  for (std::size_t i = 0; i < message_count(); ++i) {
    const std::string_view key = key_of(static_cast<Message>(i));
    EXPECT_TRUE(used.contains(key)) << key << " is used nowhere";
  }
}

TEST(Language, IsChosenByWhatIsAskedFor) {
  struct Case {
    std::string_view name, ui_locales, accept;
    Language expected;
  };
  const Case cases[] = {
      {"nothing", "", "", Language::english},
      {"asked", "de", "en", Language::german},
      {"asked with a region", "de-AT", "", Language::german},
      {"the first that there is", "fr nl DE en", "", Language::german},
      {"asked for what there is not", "fr", "de", Language::german},
      {"by the browser", "", "de-DE,de;q=0.9,en;q=0.8", Language::german},
      {"by weight", "", "de;q=0.3, en;q=0.8", Language::english},
      {"excluded", "", "de;q=0", Language::english},
      {"any is no reason for German", "", "*", Language::english},
      {"not a weight", "", "de;q=2x, en;q=0.1", Language::english},
      {"a language that only begins so", "deu", "den", Language::english},
      {"garbage", "\xff ;;", ",,;q=,=;de;q", Language::english},
  };
  for (const Case& test : cases) EXPECT_EQ(choose_language(test.ui_locales, test.accept), test.expected) << test.name;
}

TEST(Words, FillPlacesOnce) {
  EXPECT_EQ(filled("{a} and {b}", {{"a", "{b}"}, {"b", "2"}}), "{b} and 2");
  EXPECT_EQ(filled("{unknown} {", {{"a", "1"}}), "{unknown} {");
  const Words english(Language::english);
  EXPECT_EQ(english.emphasised(Message::login_for_client, {{"client", "<b>"}}).text(),
            "to go on to <strong>&lt;b&gt;</strong>");
}

TEST(Words, TellTimes) {
  EXPECT_EQ(Words(Language::english).time(1795937220), "29 November 2026, 07:27 UTC");
  EXPECT_EQ(Words(Language::german).time(1795937220), "29. November 2026, 07:27 UTC");
  EXPECT_EQ(Words(Language::english).duration(1), "1 second");
  EXPECT_EQ(Words(Language::english).duration(119), "119 seconds");
  EXPECT_EQ(Words(Language::english).duration(121), "3 minutes");
  EXPECT_EQ(Words(Language::german).duration(7200), "2 Stunden");
}

}  // namespace
}  // namespace gatehouse::identity
