#include "events/event_block.h"

#include <gtest/gtest.h>

#include "events/term_filter.h"

namespace gatehouse::events {
namespace {

WallTime at(std::int64_t seconds) { return WallTime(std::chrono::seconds(1'750'000'000 + seconds)); }

TEST(EventBlock, ComesBackAsItWas) {
  BlockBuilder builder;
  EXPECT_TRUE(builder.empty());
  ASSERT_TRUE(builder.add({at(5), EventKind::request, R"({"a":1})"}, std::vector<Term>{1, 2}));
  ASSERT_TRUE(builder.add({at(3), EventKind::act, ""}, std::vector<Term>{3}));
  ASSERT_TRUE(builder.add({at(9), EventKind::request, std::string(100, '\xff')}, {}));
  EXPECT_EQ(builder.since(), at(3));
  EXPECT_EQ(builder.until(), at(9));
  for (const Term term : {1, 2, 3}) EXPECT_TRUE(may_hold(builder.filter(), term));
  const auto data = builder.data();
  ASSERT_TRUE(data);
  const auto block = Block::read(*data);
  ASSERT_TRUE(block) << block.error().message;
  ASSERT_EQ(block->count(), 3u);
  EXPECT_EQ(block->event(0).time, at(5));
  EXPECT_EQ(block->event(0).line, R"({"a":1})");
  EXPECT_EQ(block->event(1).kind, EventKind::act);
  EXPECT_EQ(block->event(1).line, "");
  EXPECT_EQ(block->event(2).line, std::string(100, '\xff'));
}

TEST(EventBlock, IsBounded) {
  BlockBuilder builder;
  EXPECT_FALSE(builder.add({at(0), EventKind::request, std::string(BlockBuilder::kLineBytesMax + 1, 'x')}, {}));
  EXPECT_TRUE(builder.empty());
  while (!builder.full()) ASSERT_TRUE(builder.add({at(0), EventKind::request, "{}"}, {}));
  EXPECT_EQ(builder.count(), BlockBuilder::kEventsMax);
  builder.clear();
  while (!builder.full()) ASSERT_TRUE(builder.add({at(0), EventKind::request, std::string(100'000, 'x')}, {}));
  EXPECT_EQ(builder.count(), 4u);
  EXPECT_TRUE(Block::read(*builder.data()));
}

// Every byte changed and every length cut: another answer than "damaged" is a block that can be read through.
TEST(EventBlock, WhatIsDamagedIsRefused) {
  BlockBuilder builder;
  for (int i = 0; i < 20; ++i)
    builder.add({at(i), EventKind::request, std::string(static_cast<std::size_t>(i), 'x')}, {});
  const std::string data = *builder.data();
  const auto read_through = [](const std::string& bytes) {
    const auto block = Block::read(bytes);
    std::size_t sum = 0;
    for (std::size_t i = 0; block && i < block->count(); ++i) sum += block->event(i).line.size();
    return block ? static_cast<std::int64_t>(sum) : -1;
  };
  for (std::size_t size = 0; size < data.size(); ++size) EXPECT_EQ(read_through(data.substr(0, size)), -1) << size;
  for (std::size_t place = 0; place < data.size(); ++place) {
    std::string changed = data;
    for (const char bit : {'\1', '\x80', '\xff'}) {
      changed[place] = static_cast<char>(data[place] ^ bit);
      read_through(changed);
    }
  }
}

TEST(TermFilter, HoldsWhatItWasMadeOfAndLittleElse) {
  const Terms terms(crypto::HashKey{1, 2, 3});
  for (const std::size_t size : {0, 1, 10, 1000, 20'000}) {
    std::vector<Term> in;
    for (std::size_t i = 0; i < size; ++i) in.push_back(terms.field("n", std::to_string(i)));
    const std::string filter = make_term_filter(in);
    for (const Term term : in) ASSERT_TRUE(may_hold(filter, term));
    int wrong = 0;
    for (int i = 0; i < 10'000; ++i) wrong += may_hold(filter, terms.field("other", std::to_string(i)));
    EXPECT_LT(wrong, 200) << size;
  }
  EXPECT_TRUE(may_hold("", 1));
  EXPECT_TRUE(may_hold(std::string(33, '\0'), 1)) << "no filter of ours: it may hold everything";
}

TEST(Terms, WordsAndFields) {
  const Terms terms(crypto::HashKey{1});
  const auto words = [&](std::string_view text) {
    std::vector<Term> out;
    terms.add_words(text, out);
    return out;
  };
  EXPECT_EQ(words("UNION select"), words("union/Select"));
  EXPECT_EQ(words("a b c"), std::vector<Term>{});
  EXPECT_EQ(words("größe").size(), 1u);
  EXPECT_EQ(words("1=1 or 22").size(), 2u);
  EXPECT_EQ(words(std::string(64, 'x')), words(std::string(500, 'x')));
  EXPECT_NE(terms.field("user", "alice"), terms.field("route", "alice"));
  EXPECT_NE(Terms(crypto::HashKey{2}).field("user", "alice"), terms.field("user", "alice"));
}

}  // namespace
}  // namespace gatehouse::events
