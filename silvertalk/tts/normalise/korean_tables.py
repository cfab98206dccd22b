"""What Korean readers say for numbers' counters, units, Latin letters, words and symbols.

Sources, named in the comments by their Korean titles: 한글 맞춤법 (문화체육관광부 고시 제2017-12호, its 문장 부호
appendix included), 표준어 규정 (고시 제2017-13호), 외래어 표기법 (고시 제2017-14호), 표준국어대사전 and the answers of
국립국어원 (온라인가나다). "관용" marks plain convention of speech.
"""

from silvertalk.tts.normalise.tokens import pairs, words

# -- Numbers -----------------------------------------------------------------------------------------------------

DIGITS = "영일이삼사오육칠팔구"
PHONE_DIGITS = "공일이삼사오육칠팔구"  # 관용: 0 of telephone, card and room numbers is 공
GROUPS = ("", "만", "억", "조", "경")  # 한글 맞춤법 제44항: written apart at every 만
SCALES = "십백천만억조경"
NATIVE_ONES = ("", "하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉")
NATIVE_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
# 표준국어대사전: 관형사 한, 두, 세, 네, 스무 before a counter.
NATIVE_BEFORE_COUNTER = pairs(
    """
    하나 한, 둘 두, 셋 세, 넷 네, 스물 스무
    """
)
# 표준어 규정 제17항: 서/너 돈, 말, 발, 푼; 석/넉 냥, 되, 섬, 자. 표준국어대사전: 석/넉 달.
SHORT_FORMS = {
    **dict.fromkeys(("돈", "말", "발", "푼"), {3: "서", 4: "너"}),
    **dict.fromkeys(("냥", "되", "섬", "자", "달"), {3: "석", 4: "넉"}),
}
APPROXIMATE = {(1, 2): "한두", (2, 3): "두세", (3, 4): "서너"}  # 표준국어대사전: 관형사; with native counters only
MONTHS = {6: "유월", 10: "시월"}  # 한글 맞춤법 제52항: 속음

# Counters with native numbers, and the largest number that speech still says so (관용); above it Sino-Korean.
NATIVE_COUNTERS = {
    **dict.fromkeys(
        words(
            """
            시 시간대 달 달간
            """
        ),
        12,
    ),
    **dict.fromkeys(
        words(
            """
            시간
            """
        ),
        23,
    ),
    **dict.fromkeys(
        words(
            """
            살 번째 대 가지 나라 명 개 마리 장 권 잔 병 켤레 그루 송이 척 채 벌 쌍 통 줄 군데 곳 사람 그릇 접시 상자
            봉지 묶음 다발 조각 방울 자루 포기 필 바퀴 걸음 모금 숟가락 스푼 컵 알 톨 두름 갑 돈 말 발 푼 냥 되 섬 자
            자리 통화 마디 꼬집 뼘 아름 움큼 다스 박스 세트 마당 갈래
            """
        ),
        99,
    ),
    **dict.fromkeys(
        words(
            """
            번 배 골 팀 건 가구 해 차례 곡 편 판 끼
            """
        ),
        19,
    ),
}
# Counters with Sino-Korean numbers. 관용; times and dates: 국립국어원.
SINO_COUNTERS = frozenset(
    words(
        """
    분 분간 초 초간 년 년간 년대 년도 년생 년차 월 월호 일 일간 일자 일차 주 주간 주일 주년 주기 주차 개월
    개월간 개년 개국 개사 개소 원 원대 원권 원짜리 달러 엔 유로 위안 파운드 센트 루피 층 호 호선 호기 호실
    호차 번지 번길 동 리 세 세대 세기 학년 학기 교시 단계 차 차선 차로 차원 차전 회 회말 회초 회차 회전 위 등
    등급 급 급지 도 점 점대 승 패 무 전 쪽 페이지 절 항 조 권역 반 면 인 인분 인용 인실 인승 인조 박 평 평형
    퍼센트 프로 퍼센트포인트 포인트 킬로 킬로미터 미터 센티미터 센티 밀리미터 밀리 그램 킬로그램 밀리그램 톤
    리터 밀리리터 시시 인치 바이트 킬로바이트 메가바이트 기가바이트 테라바이트 기가 메가 볼트 와트 킬로와트
    암페어 헤르츠 메가헤르츠 기가헤르츠 칼로리 킬로칼로리 마력 데시벨 라운드 이닝 쿼터 연승 연패 연속 연임
    관왕 부 부작 집 탄 형 형식 종 종류 급수 배속 배럴 광년 기압 노트 캐럿 에이커 헥타르 제곱미터 남매 형제
    자매 부문 개조 분기 분위 순위 강 선 성 중주 진 촌 학점 교대 개교 호점 행 열 번대 번선 번홈 기통 단지 구역
    구간 공구 지구 획 자회사 석 마일 피트 야드 뷰 비트 화소 타 타석 타수 타자 루타 이닝째 도루 세트째 할 푼리
    리바운드 어시스트 득점 실점
    """
    )
)
# "N번 ..." is a number, not a count, before these. 관용.
NUMBERED_NOUNS = words(
    """
    출구 버스 문제 국도 타자 선수 홈 창구 게이트 승강장 트랙 좌석 방 채널 아이언 우드 교향곡 소나타 협주곡
    마을버스 노선 줄 레인 카드 문항 후보 척추 뇌신경 염색체 고속도로 지방도 도로 정류장 진료실 진찰실 기계
    테이블 탑승구 항목 답 보기 라인 포트 코스 홀 사물함 투수 국 환자 손님
    """
)
# "N대 ..." is a rank or generation before these. 관용.
GENERATION_NOUNS = words(
    """
    대통령 국회 왕 총리 회장 사장 의장 총장 장관 임금 황제 교황 교장 원장 대표 감독 총재 이사장 조상 강
    """
)
RANKED_NOUNS = words(
    """
    도시 강국 명절 불가사의 원칙 요소 영양소 보험 은행 거래소 산업 과제 종교 문명 암 뉴스 전략 핵심 기업 그룹
    악재
    """
)
HONOURED = words(
    """
    손님 고객 고객님 어르신 선생님 할머니 할아버지 부모님 환자 여러
    """
)
# What may follow a counter in the same word (first syllable): particles, endings and suffixes.
AFTER_COUNTER = set(
    "은는이가을를의에도만과와로으부까마씩쯤정상미초간동째짜당들인입였예요며고나라밖보처하된됐되전후내중안뒤차분여지뿐"
    "쯤선한께서쪽대면형권엔야죠랑치행급생말경인용접석속꼴남어"
)
# Words that begin with a scale or with a counter but are neither.
NOT_SCALES = (
    "경기",
    "경주",
    "조각",
    "조건",
    "천사",
    "천국",
    "만큼",
    "만에",
    "만나",
    "만화",
    "백화점",
    "백신",
    "십자",
    "억새",
    "조치",
)
DIGIT_WORDS = pairs(
    """
    112 일일이, 114 일일사, 119 일일구, 911 구일일, 1339 일삼삼구
    """
)
DIGIT_PHRASES = pairs(
    """
    63빌딩 육삼빌딩, 88올림픽 팔팔올림픽, 2030세대 이공삼공 세대, 3040세대 삼공사공 세대,
    4050세대 사공오공 세대, 코로나19 코로나 일구, 코로나-19 코로나 일구, 24/7 이십사 시간 칠 일
    """
)
# 문장 부호 제9항, 제2항 [붙임]: a point between month and day of a memorable day; its digits are read one by one.
MEMORIAL_DAYS = {"3.1", "4.3", "4.19", "5.16", "5.18", "6.10", "6.25", "6.29", "8.15", "12.12"}
MEMORIAL_NOUNS = words(
    """
    운동 혁명 의거 정변 광장 민주화 민주 전쟁 참전 동란 사변 광복 절 항쟁 선언 사태 만세 사건 군사 쿠데타
    """
)
WEEKDAYS = "월화수목금토일"
ROMAN_COUNTERS = words(
    """
    세 장 편 부 권 차 호 형 급 기 단계 악장 절
    """
)

# -- Units: right after a number. 표준국어대사전 and 국제단위계 names ------------------------------------------------

UNITS = pairs(
    """
    km 킬로미터, m 미터, cm 센티미터, mm 밀리미터, μm 마이크로미터, um 마이크로미터, nm 나노미터, kg 킬로그램,
    Kg 킬로그램, KG 킬로그램, g 그램, mg 밀리그램, μg 마이크로그램, ug 마이크로그램, t 톤, L 리터, l 리터,
    mL 밀리리터, ml 밀리리터, dL 데시리터, dl 데시리터, kL 킬로리터, kl 킬로리터, cc 시시, KM 킬로미터,
    Km 킬로미터, m² 제곱미터, km² 제곱킬로미터, cm² 제곱센티미터, mm² 제곱밀리미터, m2 제곱미터,
    km2 제곱킬로미터, cm2 제곱센티미터, m³ 세제곱미터, cm³ 세제곱센티미터, km³ 세제곱킬로미터,
    mm³ 세제곱밀리미터, m3 세제곱미터, cm3 세제곱센티미터, ha 헥타르, ft 피트, lb 파운드, oz 온스, inch 인치,
    in 인치, mi 마일, yd 야드, W 와트, kW 킬로와트, KW 킬로와트, MW 메가와트, GW 기가와트, Wh 와트시,
    kWh 킬로와트시, KWh 킬로와트시, MWh 메가와트시, V 볼트, kV 킬로볼트, mV 밀리볼트, mA 밀리암페어, A 암페어,
    mAh 밀리암페어시, Ω 옴, Hz 헤르츠, kHz 킬로헤르츠, KHz 킬로헤르츠, MHz 메가헤르츠, GHz 기가헤르츠,
    KB 킬로바이트, kB 킬로바이트, MB 메가바이트, GB 기가바이트, TB 테라바이트, PB 페타바이트, bit 비트,
    bps 비피에스, kbps 킬로비피에스, Mbps 메가비피에스, Gbps 기가비피에스, dB 데시벨, ppm 피피엠, ppb 피피비,
    rpm 알피엠, RPM 알피엠, fps 에프피에스, bpm 비피엠, dpi 디피아이, Pa 파스칼, kPa 킬로파스칼,
    hPa 헥토파스칼, MPa 메가파스칼, mmHg 밀리미터에이치지, cal 칼로리, kcal 킬로칼로리, Kcal 킬로칼로리,
    kJ 킬로줄, K 케이, s 초, sec 초, ms 밀리초, min 분, h 시간, hr 시간, mol 몰, lx 럭스, lm 루멘, pH 피에이치,
    IU 아이유, px 픽셀, pt 포인트, p 쪽, °C 도, ° 도, eV 전자볼트, % 퍼센트, %p 퍼센트포인트, ‰ 퍼밀,
    °F 도, Mpx 메가픽셀, ct 캐럿, hp 마력, Sv 시버트
    """
)
PREFIXED_UNITS = pairs(
    """
    °F 화씨
    """
)
# 관용: speeds by what they are, other quotients as "세제곱미터당 ... 마이크로그램".
SPEEDS = {
    "km/h": ("시속", "킬로미터"),
    "m/s": ("초속", "미터"),
    "km/s": ("초속", "킬로미터"),
    "m/min": ("분속", "미터"),
}
CURRENCIES = pairs(
    """
    ₩ 원, $ 달러, € 유로, £ 파운드, ¥ 엔, ₹ 루피, ₽ 루블, ₫ 동, ฿ 밧
    """
)
CURRENCY_CODES = pairs(
    """
    KRW 원, USD 달러, EUR 유로, JPY 엔, GBP 파운드, CNY 위안
    """
)

# -- Latin letters and words --------------------------------------------------------------------------------------

# Letters as they are said and mostly written: 씨 and 알; 표준국어대사전 has 시 and 아르 (both right).
LETTERS = pairs(
    """
    a 에이, b 비, c 씨, d 디, e 이, f 에프, g 지, h 에이치, i 아이, j 제이, k 케이, l 엘, m 엠, n 엔, o 오,
    p 피, q 큐, r 알, s 에스, t 티, u 유, v 브이, w 더블유, x 엑스, y 와이, z 제트
    """
)
GREEK = pairs(
    """
    α 알파, β 베타, γ 감마, δ 델타, ε 엡실론, ζ 제타, η 에타, θ 세타, ι 요타, κ 카파, λ 람다, μ 뮤, ν 뉴,
    ξ 크시, ο 오미크론, π 파이, ρ 로, σ 시그마, τ 타우, υ 입실론, φ 피, χ 카이, ψ 프시, ω 오메가
    """
)
# Words with a reading of their own: 표준국어대사전 and 외래어 표기 용례 where they list the word, else 관용.
# Keys are lower-case; acronyms that are not here are spelt out, other words go through their sounds (hangul.py).
WORDS = pairs(
    """
    mp3 엠피쓰리, mp4 엠피포, a4 에이포, b2b 비투비, b2c 비투씨, o2o 오투오, p2p 피투피, h2o 에이치투오,
    co2 씨오투, o2 오투, 3d 쓰리디, 2d 투디, 4d 포디, r&d 알앤디, q&a 큐앤에이, m&a 엠앤에이, b&b 비앤비,
    a/s 에이에스, k-pop 케이팝, kpop 케이팝, wi-fi 와이파이, wifi 와이파이, e-mail 이메일, email 이메일,
    tv 티비, cctv 씨씨티비, iptv 아이피티비, nato 나토, unesco 유네스코, unicef 유니세프, nasa 나사,
    kaist 카이스트, aids 에이즈, opec 오펙, asean 아세안, apec 에이펙, fifa 피파, postech 포스텍,
    unist 유니스트, kotra 코트라, kospi 코스피, kosdaq 코스닥, nasdaq 나스닥, sars 사스, mers 메르스,
    covid 코비드, toeic 토익, toefl 토플, teps 텝스,
    radar 레이더, laser 레이저, ram 램, rom 롬, sim 심, pin 핀, usim 유심, esim 이심, ok 오케이, vs 대, no 노,
    yes 예스, app 앱, apps 앱스, web 웹, website 웹사이트, ppt 피피티, mz 엠제트, vip 브이아이피, pm 피엠,
    am 에이엠, dvd 디브이디, etc 기타, apple 애플, google 구글, naver 네이버, kakao 카카오, samsung 삼성,
    lg 엘지, sk 에스케이, daum 다음, hyundai 현대, kia 기아, gmail 지메일, youtube 유튜브, facebook 페이스북,
    instagram 인스타그램, twitter 트위터, netflix 넷플릭스, amazon 아마존, microsoft 마이크로소프트,
    windows 윈도, iphone 아이폰, ipad 아이패드, android 안드로이드, galaxy 갤럭시, zoom 줌, python 파이썬,
    java 자바, linux 리눅스, github 깃허브, chatgpt 챗지피티, tesla 테슬라, bluetooth 블루투스,
    internet 인터넷, online 온라인, offline 오프라인, login 로그인, logout 로그아웃, computer 컴퓨터,
    software 소프트웨어, hardware 하드웨어, data 데이터, system 시스템, service 서비스, center 센터, menu 메뉴,
    message 메시지, file 파일, video 비디오, camera 카메라, radio 라디오, robot 로봇, model 모델, check 체크,
    event 이벤트, happy 해피, birthday 버스데이, new 뉴, year 이어, good 굿, morning 모닝, hello 헬로,
    love 러브, you 유, i 아이, thank 생큐, thanks 생스, bye 바이, sorry 소리, the 더, and 앤드, of 오브, in 인,
    on 온, at 앳, to 투, for 포, is 이즈, my 마이, best 베스트, top 톱, star 스타, super 슈퍼, market 마켓,
    coffee 커피, cafe 카페, pizza 피자, chicken 치킨, juice 주스, cake 케이크, card 카드, point 포인트,
    bus 버스, taxi 택시, hotel 호텔, seoul 서울, korea 코리아, busan 부산, world 월드, cup 컵, box 박스,
    news 뉴스, live 라이브, sale 세일, open 오픈, close 클로즈, on-line 온라인, start 스타트, stop 스톱,
    home 홈, help 헬프, test 테스트, smart 스마트, phone 폰, smartphone 스마트폰, note 노트, book 북, pad 패드,
    max 맥스, pro 프로, plus 플러스, mini 미니, ultra 울트라, air 에어, watch 워치, pay 페이, toss 토스,
    band 밴드, com 컴, net 넷, info 인포, blog 블로그, shop 숍, cloud 클라우드, chat 챗, bot 봇, vaccine 백신,
    virus 바이러스, energy 에너지, allergy 알레르기, vitamin 비타민
    """
)
LETTER_WORDS = {"am", "pm", "in", "on", "at", "to", "is", "my", "no", "you", "i"}  # spelt out in capitals

# -- Symbols ------------------------------------------------------------------------------------------------------

SYMBOLS = pairs(
    """
    ↑ 상승, ↓ 하락, & 앤드, @ 골뱅이, # 샵, % 퍼센트, ‰ 퍼밀, + 플러스, = 는, × 곱하기, ÷ 나누기,
    ± 플러스마이너스, ∞ 무한대,
    √ 루트, ≠ 같지 않다, ≒ 약, ° 도, ℡ 전화, ☎ 전화, № 넘버, § 절, © 저작권, ® 등록 상표, ™ 상표, Δ 델타,
    Ω 오메가, Σ 시그마, $ 달러, ₩ 원, € 유로, £ 파운드, ¥ 엔, ₹ 루피, ² 제곱, ³ 세제곱, * 별표, \\ 역슬래시
    """
)
ADDRESS_SYMBOLS = pairs(
    """
    @ 골뱅이, . 점, - 하이픈, _ 언더바, / 슬래시, : 콜론, ? 물음표, = 이퀄, & 앤드, + 플러스, % 퍼센트, ~ 물결,
    # 샵
    """
)
ADDRESS_SYMBOLS |= {"&": "앤드", "+": "플러스", "%": "퍼센트", "~": "물결", "#": "샵"}
ADDRESS_WORDS = {".com": "닷컴", ".net": "닷넷"}
# 문장 부호: marks of pause, of quotation (silent) and lists; each is read as given here.
PAUSES = set(",;:–|→←↔⇒▶▷►•○●◆◇■□▪※☞/·ㆍ")
SILENT = set("'\"()[]{}<>〈〉《》「」『』【】〔〕‹›«»_^~`*")
JAMO = pairs(
    """
    ㄱ 기역, ㄴ 니은, ㄷ 디귿, ㄹ 리을, ㅁ 미음, ㅂ 비읍, ㅅ 시옷, ㅇ 이응, ㅈ 지읒, ㅊ 치읓, ㅋ 키읔, ㅌ 티읕,
    ㅍ 피읖, ㅎ 히읗, ㄲ 쌍기역, ㄸ 쌍디귿, ㅃ 쌍비읍, ㅆ 쌍시옷, ㅉ 쌍지읒, ㅏ 아, ㅑ 야, ㅓ 어, ㅕ 여, ㅗ 오,
    ㅛ 요, ㅜ 우, ㅠ 유, ㅡ 으, ㅣ 이, ㅐ 애, ㅔ 에, ㅒ 얘, ㅖ 예, ㅘ 와, ㅙ 왜, ㅚ 외, ㅝ 워, ㅞ 웨, ㅟ 위,
    ㅢ 의
    """
)
LAUGHTER = {"ㅋ": "크", "ㅎ": "흐"}
WEEPING = set("ㅠㅜ")  # pictures of weeping eyes: reported, like emoji
JAMO_WORDS = pairs(
    """
    ㅇㅋ 오케이, ㄱㅅ 감사, ㅊㅋ 축하, ㅈㅅ 죄송, ㄴㄴ 노노, ㅇㅇ 응, ㄱㄱ 고고, ㅂㅂ 바이바이
    """
)
# Hanja that stand in Korean headlines instead of the word. 관용; other Hanja are reported.
HANJA = pairs(
    """
    美 미, 中 중, 日 일, 韓 한, 北 북, 南 남, 英 영, 佛 불, 獨 독, 露 러, 伊 이, 印 인, 濠 호, 臺 대, 野 야,
    與 여, 男 남, 女 여, 老 노, 少 소, 大 대, 小 소, 上 상, 下 하, 前 전, 後 후, 新 신, 舊 구, 故 고, 父 부,
    母 모, 子 자, 夫 부, 妻 처, 金 금, 銀 은, 對 대, 反 반, 非 비, 無 무, 有 유, 全 전, 總 총, 第 제, 車 차,
    軍 군, 法 법, 檢 검, 警 경, 靑 청, 黨 당, 株 주, 外 외, 內 내, 高 고, 低 저, 東 동, 西 서, 春 춘, 夏 하,
    秋 추, 冬 동, 山 산, 江 강, 水 수, 火 화, 木 목, 土 토, 月 월
    """
)
HANJA |= dict(
    zip(
        "對反非無有全總第車軍法檢警靑黨株外內高低東西春夏秋冬山江水火木土月",
        "대반비무유전총제차군법검경청당주외내고저동서춘하추동산강수화목토월",
        strict=True,
    )
)
