"""What is known of languages: the words that say little, and which language a text is in.

A language is guessed from the script of a text and from the frequent small words in it, which is
enough to choose stop words by; texts of unknown languages are treated as having none.
"""

from __future__ import annotations

import functools
import re
from collections import Counter

_LISTS = {
    "en": """a about above after again against all also although am an and any are as at be
        because been before being below between both but by can cannot could did do does
        doing done down during each either else etc even ever every few for from further get
        gets had has have having he her here hers him his how however i if in instead into
        is it its itself just let like made make makes many may me might more most much must
        my neither no nor not nothing now of off often on once one only or other others our
        out over own per rather s same see shall she should since so some still such t than
        that the their them then there therefore these they this those though through thus
        to too under until up upon us use used uses using very via was way we well were what
        when where whether which while who whom whose why will with within without would yet
        you your""",
    "de": """aber alle allem allen aller alles als also am an auch auf aus bei beim bin bis bist
        da dabei dadurch dafür dagegen daher damit danach dann daran darauf daraus darin das
        dass davon dazu dein dem den denn der des dessen die dies diese diesem diesen dieser
        dieses doch dort du durch ein eine einem einen einer eines er es etwa für gegen hat
        hatte hatten haben hier ich ihr ihre ihrem ihren ihrer im in ist ja jede jedem jeden
        jeder jedes jedoch kann kein keine keinen können man mehr mein mit muss müssen nach
        nicht noch nun nur ob oder ohne sehr sein seine seinem seinen seiner seit sich sie
        sind so solche sollte sondern sowie über um und uns unser unter vom von vor war
        waren warum was weil welche wenn werden wie wieder wird wir wo wurde wurden zu zum
        zur zwar zwischen""",
    "fr": """à afin ai ainsi alors après au aucun aussi autre autres aux avant avec avoir c ce
        ceci cela celle celui ces cet cette ceux chaque chez ci comme comment d dans de
        depuis des donc dont du elle elles en encore entre est et étaient était être eu fait
        faire faut il ils j je l la le les leur leurs lors lui ma mais me même mes moi moins
        mon n ne ni non nos notre nous on ont ou où par parce pas pendant peu peut peuvent
        plus plusieurs pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa
        sans se selon sera ses si soit son sont sous sur t ta te tes toi ton toujours tous
        tout toute toutes très tu un une vers vos votre vous y""",
    "es": """a al algo algunas algunos ante antes aquel aquella así aún aunque bien cada como con
        contra cual cuales cuando de debe del desde donde dos durante e el él ella ellas
        ellos en entre era eran es esa ese eso esos esta está están este esto estos fue
        fueron ha había han hasta hay la las le les lo los más me menos mi mientras mis
        mucho muy nada ni no nos nosotros nuestra nuestro o os otra otras otro otros para
        pero poco por porque pues puede pueden que qué quien se según ser si sí sido siempre
        sin sobre solo son su sus también tan tanto te tiene tienen todo todos tras tu un
        una unas uno unos usted y ya yo""",
    "it": """a ad agli ai al alla alle allo anche ancora avere aveva c che chi ci cioè come con
        contro cosa così cui d da dagli dai dal dalla dalle dallo degli dei del della delle
        dello dentro di dopo dove due e è ed era erano essere fa fra fu già gli ha hanno ho
        i il in io l la le lei li lo loro lui ma me meno mentre mi mia mio molto ne negli
        nei nel nella nelle nello no noi non nostra nostro o ogni oppure ora per perché però
        più poi prima può qual quale quali quando quanto quella quelle quelli quello questa
        queste questi questo qui se sempre senza si sia sono sopra sotto sta stata stato su
        sua sue sugli sul sulla suo suoi tra tu tutta tutte tutti tutto un una uno vi voi""",
    "pt": """a à ainda além algum alguma antes ao aos apenas as assim até cada com como contra da
        das de depois desde desse deste dessa desta do dos e é ela elas ele eles em enquanto
        entre era eram essa esse esses esta está estão este estes eu foi foram há isso isto
        já lhe lo mais mas me mesmo meu minha muito muitos na não nas nem no nos nós nossa
        nosso num numa o onde os ou outra outras outro outros para pela pelas pelo pelos
        pode podem por porque portanto pois qual quando que quem são se seja sem sempre ser
        será seu seus si sido sob sobre sua suas também tão te tem têm ter teve toda todas
        todo todos tu um uma umas uns você""",
    "nl": """aan al alle alleen als altijd andere ben bij daar dan dat de deze die dit doch doen
        door dus een elk en er geen haar had heb hebben heeft hem het hier hij hoe hun iets
        ik in is ja je kan kunnen maar me meer men met mijn moet moeten na naar net niet
        niets nog nu of om omdat ons onze ook op over reeds te tegen tijdens toch toen tot
        tussen u uit uw van vanaf veel voor waar wanneer want waren was wat we wel welke
        werd wie wij wil worden wordt zal ze zelf zich zij zijn zo zonder zou""",
    "sv": """alla allt än andra att av bara bli blir blev både då de dem den denna deras dess
        dessa det detta dig din du där efter eller en er ett finns för från få får genom ha
        hade han hans har hela hennes hon honom hur här i icke ingen inom inte ja jag kan
        kommer kunde man med mellan men mer mig min mot mycket många måste ni nu någon något
        några när och också om oss på samma sedan sig sin sina sitt ska skall skulle som så
        till under upp ur ut utan vad var vara varje vem vi vid vilka vilken är över""",
    "da": """af alle alt anden at blev blive bliver da de dem den denne der deres det dette dig
        din disse dog du efter eller en end er et for fordi fra få får gennem god ham han
        hans har havde have hende her hos hun hvad hver hvis hvor hvordan i ikke ind ingen
        intet jeg jer kan kun kunne man mange med mellem men mere mig min mod må nej noget
        nogle nu når og også om op os over på sammen selv sig sin skal skulle som så til ud
        uden under var ved vi vil ville være været""",
    "no": """alle alt andre at av bare ble bli blir både da de deg dem den denne der deres det
        dette disse du eller en enn er et etter for fordi fra få får gjennom ha hadde han
        hans har henne her hos hun hva hver hvis hvor hvordan i ikke ingen inn jeg kan kun
        kunne man mange med mellom men mer mot må noe noen nå når og også om opp oss over på
        samme seg selv sin skal skulle som så til ut uten under var ved vi vil ville være
        vært""",
    "fi": """aina ei eivät eli ennen että hän he hyvin ja jo joka jolla jonka jos josta jotka
        jotta kaikki kanssa keskellä koko koska kuin kuitenkin kun lisäksi me mikä mitä
        mukaan mutta muu muut myös ne niiden niin nyt oli olivat olla ollut on ovat paljon
        se sekä sen siinä siitä sillä sitten sitä tai tämä tämän tästä te tätä vaan vai vain
        voi voidaan voivat yli""",
    "pl": """a aby ale albo ani bardzo bez bo by był była było były być ci co czy dla do gdy
        gdzie go i ich ile im inne iż ja jak jako je jednak jednym jego jej jest jeszcze
        jeśli jeżeli już każdy kiedy kto która które którego której który których którym
        którzy lub ma między mnie mogą może można my na nad nam nas nawet nich nie niej nim
        niż o od ona one oni oraz pan po pod ponieważ przed przez przy są się sobie swoje ta
        tak takie także tam te tego tej ten też to tu tych tylko tym u w we więc wszystko z
        za zawsze ze że""",
    "cs": """a aby aj ale ani až bez bude budou by byl byla byli bylo být co což či další do ho i
        ich já jak jako je jeho její jejich jen jenž ještě jež ji jiné již jsem jsme jsou k
        kde kdo když ke která které který kteří ku má mezi mi může my na nad nám nás ne nebo
        než nic není o od on ona oni pak po pod podle pokud pouze pro proto protože před při
        s se si sice své svůj ta tak také tato te tedy ten tento to toho tohoto tom tomto tu
        ty tyto u už v vám ve však všechny vy z za ze že""",
    "ru": """а без более бы был была были было быть в вам вас весь во вот все всего всех вы где
        да даже для до его ее её если есть еще ещё же за здесь и из или им их к как ко когда
        которая которые который которых кто ли либо между меня мне много может можно мой мы
        на над надо наш не него нет ни них но ну о об однако он она они оно от очень по под
        после потому почти при про с сам свое своей со так также такие такой там те тем то
        того тоже той только том ты у уже хотя чего чем что чтобы эта эти это этого этой
        этом этот я""",
    "uk": """а або але без би був була були було бути в вам вас ви від він вона вони воно все всі
        до для є ж же за з зі і із інші її їх його й коли крім лише ми між може можна на над
        нас не немає ні ну о один перед під по при про саме себе та так такі там те тим то
        того тобто тому тут у хто це цей ці цього чи через що щоб щодо як яка який які якщо
        я""",
    "tr": """acaba ama ancak arada artık aslında bazı belki ben beri bile bir biri birkaç birçok
        biz bu buna bunda bundan bunlar bunu bunun çok çünkü da daha de defa değil diğer
        diye dolayı en fakat gibi göre hangi hatta hem henüz her hiç için ile ilgili ise
        işte kadar karşı kendi ki kim mi mu mı nasıl ne neden nerede o olan olarak oldu
        olduğu olmak olsa olur ona onlar onu onun sadece sanki sen siz sonra şey şu
        tarafından tüm üzere var ve veya ya yani yine yok""",
}
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
)
_WORD = re.compile(r"[^\W\d_]+")
_LOOKED_AT = 20_000
_FEWEST = 3
_SCRIPT_SHARE = 0.15


@functools.cache
def stop_words(language: str) -> frozenset[str]:
    """The words that say little in a language, `en` or `en-GB`; none for one that is not known."""
    return frozenset(_LISTS.get(base(language), "").split())


@functools.cache
def _by_word() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for language in _LISTS:
        for word in stop_words(language):
            found.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in found.items()}


def base(language: str) -> str:
    """The language alone of a tag (RFC 5646): `en` of `en-GB`."""
    return language.strip().lower().replace("_", "-").partition("-")[0]


def known(language: str | None) -> bool:
    """Whether stop words or a script are known for a tag."""
    return language is not None and (
        base(language) in _LISTS or any(base(language) == name for name, _ in _SCRIPTS)
    )


def detect(text: str) -> str:
    """The language of a text, judged by its beginning; "" where nothing points to one."""
    beginning = text[:_LOOKED_AT]
    letters = sum(map(len, _WORD.findall(beginning))) or 1
    for name, pattern in _SCRIPTS:
        if len(pattern.findall(beginning)) > letters * _SCRIPT_SHARE:
            return name
    votes = Counter[str]()
    for word in _WORD.findall(beginning.lower()):
        languages = _by_word().get(word, ())
        for language in languages:
            votes[language] += 1  # shared words vote for each: what differs decides
    if not votes:
        return ""
    language, count = max(votes.items(), key=lambda each: (each[1], each[0] == "en"))
    return language if count >= _FEWEST else ""


def language_of(declared: str | None, text: str) -> str:
    """The language to treat a text as: what it seems to be, else what its page says of itself."""
    return detect(text) or (base(declared) if declared and known(declared) else "")
